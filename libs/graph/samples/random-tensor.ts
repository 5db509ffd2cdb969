import { elements, referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';

/** Uniform numbers in (-1, 1); the same seed gives the same ones. (Mulberry32.) */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

export function randomTensor(
  shape: readonly number[],
  next: () => number,
  [low, high]: readonly [number, number] = [-1, 1],
): ReferenceTensor {
  const data = Float64Array.from({ length: elements(shape) }, () => low + ((next() + 1) / 2) * (high - low));
  return referenceTensor(shape, data);
}
