/** Helpers of this room's tests: repeatable numbers, differences, comparisons. */
import type { Graph } from '../graph.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { randomTensor, uniform } from '../samples/random-tensor.js';
import { resolveShape } from '../shapes.js';

export { randomTensor, uniform };

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
