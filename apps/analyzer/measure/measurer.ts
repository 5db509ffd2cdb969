import type { LossSpec } from '#graph/index.js';
import type { OptimizerFacts } from '#detectors/detector.js';
import { snapshotInstruments, type OptimizerConstants, type Reading } from '#instruments/index.js';
import type { ModelDescription, TensorLayout } from '#wire/generated/messages.js';

/** Bytes that somebody keeps: in a file where there is one, so that whoever measures reads it without a copy. */
export interface StoredBytes {
  readonly path: string | undefined;
  /** Throws BlobMissing. */
  read(): Promise<Uint8Array>;
}

/** One snapshot to measure. */
export interface MeasureJob {
  readonly run: string;
  readonly step: number;
  readonly model: ModelDescription;
  /** Undefined when the job did not say which loss it steps. */
  readonly loss: LossSpec | undefined;
  readonly optimizer: OptimizerFacts & OptimizerConstants;
  readonly learningRate: number;
  readonly snapshot: StoredBytes;
  readonly tensors: readonly TensorLayout[];
  /** What the measurement before left; the result depends on it within the tolerance, so it is kept with the position. */
  readonly tracker: Uint8Array | undefined;
  /** The first snapshot of a model: its derivatives and its loss are compared before anything is believed. */
  readonly check: boolean;
  /** Curvature was found not to be believed at an earlier snapshot. */
  readonly curvatureOff: string | undefined;
  /** A graph or a probe set; read only where the measurer does not hold it. */
  readonly artifact: (digest: string) => StoredBytes;
}

export interface MeasureResult {
  readonly readings: readonly Reading[];
  /** Every instrument with its state after this measurement. */
  readonly instruments: Readonly<Record<string, { readonly on: boolean; readonly reason: string }>>;
  readonly tracker: Uint8Array | undefined;
  /** Set when the job asked for the check. */
  readonly check: { readonly ok: boolean; readonly reason: string } | undefined;
}

export interface Measurer {
  /** So many at a time; more of them wait for their turn. It may grow once it is known what measures. */
  readonly capacity: number;
  /**
   * A snapshot or a model that cannot be measured is a result that says why. Throws {@link MeasurerCrashed} when the
   * measurement ended its process, BlobMissing when there is nothing to read, and Stopped when the signal ended it.
   */
  measure(job: MeasureJob, signal: AbortSignal): Promise<MeasureResult>;
  /** Ends what is under way at once. */
  close(): Promise<void>;
}

/** The measurement ended its process; the message is a clause that says how, such as "it was ended by SIGSEGV". */
export class MeasurerCrashed extends Error {
  override readonly name = 'MeasurerCrashed';
}

/** All off, for one reason. */
export function allOff(reason: string): MeasureResult['instruments'] {
  const ofEveryRun = snapshotInstruments.filter(({ isFor }) => isFor === undefined);
  return Object.fromEntries(ofEveryRun.map(({ name }) => [name, { on: false, reason }]));
}
