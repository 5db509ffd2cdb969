import type { MeasureJob, MeasureResult } from './measurer.js';

/** A job as it crosses to the worker: with the snapshot read, and without artifacts, which the worker asks for by message. */
export type JobMessage = Omit<MeasureJob, 'artifact' | 'snapshot'> & { readonly snapshot: Uint8Array };

export type ToWorker =
  | { readonly kind: 'measure'; readonly id: number; readonly job: JobMessage }
  | { readonly kind: 'artifact'; readonly request: number; readonly bytes: Uint8Array | undefined; readonly error: string }
  | { readonly kind: 'close' };

export type FromWorker =
  | { readonly kind: 'measured'; readonly id: number; readonly result: MeasureResult }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string }
  | { readonly kind: 'artifact'; readonly id: number; readonly request: number; readonly digest: string };

/** What a worker is started with. */
export interface WorkerSettings {
  readonly memoryBytes: number;
  readonly threads: number | undefined;
  /** `ort-cpu` where nothing is said. */
  readonly executor?: string | undefined;
  readonly tfjsDir?: string | undefined;
}
