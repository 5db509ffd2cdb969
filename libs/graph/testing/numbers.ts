/** Helpers of this room's tests: repeatable numbers, differences, comparisons. */
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

/**
 * The first entries that differ by more than `tolerance` times the largest number, as text; NaN equals NaN only.
 * `expect(differences(…)).toEqual([])` shows them when it fails.
 */
export function differences(
  actual: ArrayLike<number> | undefined,
  expected: ArrayLike<number> | undefined,
  tolerance: number,
): string[] {
  if (actual === undefined || expected === undefined) return ['nothing to compare'];
  if (actual.length !== expected.length) return [`${actual.length} numbers for ${expected.length}`];
  const scale = Array.from(expected).reduce((top, x) => (Number.isNaN(x) ? top : Math.max(top, Math.abs(x))), 1e-12);
  return Array.from(expected)
    .flatMap((x, i) => {
      const a = actual[i] ?? Number.NaN;
      const same = Object.is(a, x) || Math.abs(a - x) <= tolerance * scale;
      return same ? [] : [`[${i}] ${a} for ${x}`];
    })
    .slice(0, 5);
}
