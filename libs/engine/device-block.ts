import type { Block } from '#math/vector-space.js';
import type { DeviceTensor } from './executor.js';

/** Neighbouring vectors in one tensor. */
export interface Run<T extends DeviceTensor> {
  readonly tensor: T;
  readonly count: number;
}

/** Vectors in one or several tensors, which blocks may share. */
export class DeviceBlock<T extends DeviceTensor> implements Block {
  readonly count: number;
  #runs: readonly Run<T>[];

  constructor(runs: readonly Run<T>[]) {
    this.#runs = runs;
    this.count = runs.reduce((sum, run) => sum + run.count, 0);
  }

  get runs(): readonly Run<T>[] {
    return this.#runs;
  }

  /** The same vectors, elsewhere. */
  moveTo(runs: readonly Run<T>[]): void {
    this.#runs = runs;
  }
}
