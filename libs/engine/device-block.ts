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
    this.count = countOf(runs);
  }

  get runs(): readonly Run<T>[] {
    return this.#runs;
  }

  /** The same vectors, elsewhere. */
  moveTo(runs: readonly Run<T>[]): void {
    this.#runs = runs;
  }
}

const countOf = (runs: readonly { readonly count: number }[]): number => runs.reduce((sum, { count }) => sum + count, 0);

/** One vector of a run. */
export interface Located<T extends DeviceTensor> {
  readonly run: Run<T>;
  readonly from: number;
}

/** Where the vectors at these places are. */
export function located<T extends DeviceTensor>(runs: readonly Run<T>[], places: readonly number[]): Located<T>[] {
  return places.map((place) => {
    let left = place;
    const run = runs.find(({ count }) => left < count || ((left -= count), false));
    if (run === undefined || left < 0) throw new RangeError(`There is no vector ${place} among ${countOf(runs)}`);
    return { run, from: left };
  });
}

/**
 * From which run on all become one: neighbours merge unless the earlier one is at least twice as long as what follows it, so
 * that a block that grows by one has a few runs, and each of its vectors moves a few times only.
 */
export function firstToMerge(runs: readonly { readonly count: number }[]): number {
  let first = runs.length - 1;
  let tail = runs.at(-1)?.count ?? 0;
  while (first > 0 && runs[first - 1]!.count < 2 * tail) tail += runs[--first]!.count;
  return first < runs.length - 1 ? first : runs.length;
}
