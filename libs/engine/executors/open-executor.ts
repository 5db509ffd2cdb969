import type { Executor } from '../executor.js';

/** What executors are started with; those that have no use for a setting do not look at it. */
export interface ExecutorSettings {
  /** On the CPU; all cores by default. */
  readonly threads?: number | undefined;
  /** Where `stagewatch setup tfjs` put tfjs-node. */
  readonly tfjsDir?: string | undefined;
}

export interface OpenExecutor {
  readonly executor: Executor;
  /** What it computes on: `2 cores`, `NVIDIA H200`. */
  readonly hardware: string;
  /** A graphics interface without a graphics card behind it: right, and slower than any other way to use the CPU. */
  readonly emulated: boolean;
}

/** What an executor lacks; `gpu` is a matter of the machine, the others can be installed. */
export type Want = 'gpu' | 'package' | 'platform';

/** This executor cannot start here. The message is one clause that says why, and what would help. */
export class ExecutorRefused extends Error {
  override readonly name = 'ExecutorRefused';
  readonly want: Want;

  constructor(want: Want, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.want = want;
  }
}

/** Errors of a device need not be Errors. */
export function firstLine(error: unknown): string {
  const { message } = (typeof error === 'object' && error !== null ? error : {}) as { readonly message?: unknown };
  return (typeof message === 'string' ? message : String(error)).split('\n')[0]!.slice(0, 300);
}
