/**
 * Bodies of the JSON streams. `records` carries protobuf envelopes (`proto/stagewatch/v1/envelope.proto`); these are
 * the others. Numbers that may be NaN or infinite are `JsonNumber`s of `math/json-number`: a number, or `"nan"`,
 * `"inf"`, `"-inf"`.
 */
type JsonNumber = number | 'nan' | 'inf' | '-inf';

export interface FindingBody {
  /** `<run>.<attempt>.<kind>.<step>…`: the same finding has the same id however often it is computed. */
  readonly id: string;
  readonly run: string;
  readonly attempt: number;
  readonly step: number;
  readonly onset: number;
  readonly kind: string;
  readonly from?: string;
  readonly to?: string;
  readonly detail?: string;
  readonly provisional: boolean;
  readonly severity: 'info' | 'warning' | 'critical';
  readonly evidence: Readonly<Record<string, number | string>>;
  readonly text: string;
  /** Milliseconds since the epoch, when the record that caused it was received. */
  readonly timeMs: number;
  readonly runName: string;
  readonly project: string;
}

/** One line of a chart: columns of equal length, steps ascending. */
export interface SeriesDelta {
  readonly name: string;
  readonly key: string;
  readonly attempt: number;
  readonly rank: number;
  readonly steps: readonly number[];
  readonly values: readonly JsonNumber[];
  /** Error bounds, for measured readings. */
  readonly bounds?: readonly JsonNumber[];
  readonly source: 'log' | 'analyzer' | 'probe';
}

export interface RunBody {
  readonly run: string;
  readonly name: string;
  readonly project: string;
  readonly framework: string;
  readonly attempt: number;
  readonly status: 'running' | 'finished' | 'failed' | 'interrupted' | 'lost';
  /** What the job said of its end; empty before it, and when it said nothing. */
  readonly message: string;
  readonly stage: string;
  readonly stageDetail: string;
  readonly step: number;
  readonly plannedSteps: number;
  readonly createdMs: number;
  readonly seenMs: number;
  readonly optimizer: Readonly<Record<string, number | string | boolean>>;
  readonly loss: { readonly kind: string; readonly reduction: string; readonly halved: boolean };
  /** Examples per update; 0 when it is not known. */
  readonly batchSize: number;
  /** Each update sees the whole training set. */
  readonly fullBatch: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly measuring: MeasuringBody;
}

/** Measurements of a run's snapshots that are not done. What needs none is judged meanwhile; the stage follows them. */
export interface MeasuringBody {
  /** Step of the snapshot that is measured now. */
  readonly underWay: number | null;
  /** Snapshots that wait for their turn. */
  readonly waiting: number;
}

/** The bucket in which each run that has such measurements has its {@link MeasuringBody}. */
export const waitingBucket = 'waiting-snapshots';

/** Of a run of which nothing waits for a measurement. */
export const notMeasuring: MeasuringBody = { underWay: null, waiting: 0 };

/** Which instruments run, and why the others do not. */
export interface InstrumentBody {
  readonly instrument: string;
  readonly on: boolean;
  readonly reason: string;
}

/** One message of the stream `live`: published after the rows it speaks of are in ClickHouse. */
export type LiveBody =
  | { readonly kind: 'run'; readonly run: RunBody }
  | { readonly kind: 'series'; readonly series: readonly SeriesDelta[] }
  | { readonly kind: 'finding'; readonly finding: FindingBody }
  | { readonly kind: 'instruments'; readonly attempt: number; readonly instruments: readonly InstrumentBody[] }
  | { readonly kind: 'deleted' };

/** One message of the stream `control`. */
export type ControlBody =
  | { readonly kind: 'snapshot-now'; readonly reason: string }
  | {
      readonly kind: 'cadence';
      readonly fromStep: number;
      readonly everySteps: number;
      readonly factor: number;
      /** Where, and after how long, the wish ends; without an end when it is not said. */
      readonly untilStep?: number;
      readonly forMs?: number;
    }
  | { readonly kind: 'stop-sending'; readonly reason: string }
  /** To the collectors themselves: end the run's streams and forget its identities. */
  | { readonly kind: 'run-deleted' };

export function encodeJson(body: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(body));
}

export function decodeJson<T>(bytes: Uint8Array): T {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')) as T;
}
