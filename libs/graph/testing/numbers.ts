/** Helpers of this room's tests: repeatable numbers, differences, comparisons. */
import { expect } from 'vitest';
import type { Graph } from '../graph.js';
import { elements, referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { resolveShape } from '../shapes.js';

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

/** Something for each input; a one-hot target gets a class for each row. */
export function randomInputs(graph: Graph, batch: number, seed = 1): Record<string, ReferenceTensor> {
  const next = uniform(seed);
  return Object.fromEntries(
    graph.inputs.map((input) => {
      const shape = resolveShape(input.shape, batch);
      const tensor = randomTensor(shape, next);
      if (input.encoding === 'one-hot') {
        const classes = shape[1] ?? 1;
        tensor.data.forEach((_, i) => (tensor.data[i] = i % classes === Math.floor(i / classes) % classes ? 1 : 0));
      }
      return [input.name, tensor];
    }),
  );
}

/** a + factor × b */
export const shifted = (a: ReferenceTensor, b: ReferenceTensor, factor: number): ReferenceTensor =>
  referenceTensor(
    a.shape,
    a.data.map((x, i) => x + factor * (b.data[i] ?? Number.NaN)),
  );

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * (b[i] ?? Number.NaN), 0);

/** Largest difference over the largest number; NaN equals NaN only. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i] ?? Number.NaN, expected[i] ?? Number.NaN];
    if (Number.isNaN(a) !== Number.isNaN(b)) return Number.POSITIVE_INFINITY;
    if (Number.isNaN(b)) continue;
    difference = Math.max(difference, Math.abs(a - b));
    scale = Math.max(scale, Math.abs(b));
  }
  return difference / Math.max(scale, 1e-12);
}

export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number, what = ''): void {
  const shown = Array.from(expected)
    .slice(0, 4)
    .map((x, i) => `${actual[i]} for ${x}`);
  expect(relativeError(actual, expected), `${what}: ${shown.join(', ')}`).toBeLessThan(tolerance);
}
