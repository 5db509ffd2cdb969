import type { LossSpec } from '#graph/index.js';
import type { OptimizerFacts } from '#detectors/detector.js';
import { snapshotInstruments, type Reading } from '#instruments/index.js';
import type { ModelDescription, TensorLayout } from '#wire/generated/messages.js';

/** One snapshot to measure. */
export interface MeasureJob {
  readonly run: string;
  readonly step: number;
  readonly model: ModelDescription;
  /** Undefined when the job did not say which loss it steps. */
  readonly loss: LossSpec | undefined;
  readonly optimizer: OptimizerFacts;
  readonly learningRate: number;
  /** Read when its turn has come: many runs may wait, and memory holds one. Throws BlobMissing. */
  readonly snapshot: () => Promise<Uint8Array>;
  readonly tensors: readonly TensorLayout[];
  /** What the measurement before left; the result depends on it within the tolerance, so it is kept with the position. */
  readonly tracker: Uint8Array | undefined;
  /** The first snapshot of a model: its derivatives and its loss are compared before anything is believed. */
  readonly check: boolean;
  /** Curvature was found not to be believed at an earlier snapshot. */
  readonly curvatureOff: string | undefined;
  /** Reads a graph or a probe set; asked only for what the measurer does not hold. */
  readonly artifact: (digest: string) => Promise<Buffer>;
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
  /**
   * A snapshot or a model that cannot be measured is a result that says why. Throws {@link MeasurerCrashed} when the
   * measurement took its worker with it.
   */
  measure(job: MeasureJob, signal?: AbortSignal): Promise<MeasureResult>;
  /** So many at once; more wait for one another. */
  readonly capacity: number;
  close(): Promise<void>;
}

export class MeasurerCrashed extends Error {
  override readonly name = 'MeasurerCrashed';
}

/** All off, for one reason. */
export function allOff(reason: string): MeasureResult['instruments'] {
  return Object.fromEntries(snapshotInstruments.map(({ name }) => [name, { on: false, reason }]));
}
