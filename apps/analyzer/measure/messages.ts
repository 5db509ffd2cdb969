import type { Confinement } from '#runtime/processes/reach.js';
import type { MeasureJob, MeasureResult } from './measurer.js';

/** Of a measurement: the files that a measuring process reads and writes. Bytes never travel in messages. */
export interface JobFiles {
  readonly snapshot: string;
  readonly graph: string;
  /** Of the probe set; undefined where the job gave none. */
  readonly probeSet: string | undefined;
  /** What the measurement before left; undefined for a cold start. */
  readonly tracker: string | undefined;
  /** Where to write what this one leaves. */
  readonly trackerAfter: string;
}

export interface JobMessage {
  readonly id: number;
  readonly task: Omit<MeasureJob, 'snapshot' | 'artifact' | 'tracker'>;
  readonly files: JobFiles;
}

export type FromMeasuring =
  /** What runs the graphs, and what the process takes while it measures nothing. */
  | {
      readonly kind: 'ready';
      readonly executor: string;
      readonly residentBytes: number;
      readonly confinement: Confinement;
    }
  /** `tracker`: whether the file for it was written. */
  | { readonly kind: 'measured'; readonly id: number; readonly result: Omit<MeasureResult, 'tracker'>; readonly tracker: boolean }
  | { readonly kind: 'missing'; readonly id: number; readonly path: string }
  | { readonly kind: 'failed'; readonly id: number; readonly message: string };

/** How a measuring process answers one job. */
export type Answer = Exclude<FromMeasuring, { kind: 'ready' }>;

/** What a measuring process is started with. */
export interface EngineSettings {
  /** That a measurement may take, beside what an empty process does. */
  readonly memoryBytes: number;
  readonly threads: number | undefined;
  /** `ort-cpu` where nothing is said. */
  readonly executor?: string | undefined;
  readonly tfjsDir?: string | undefined;
}
