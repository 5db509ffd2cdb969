import { describe, expect, it } from 'vitest';
import type { Executor } from '#engine/executor.js';
import { relativeError } from '#engine/verify/compare.js';
import { rounded, runExactly, runOnce } from '#engine/verify/run-once.js';
import { sampleTolerance } from '#engine/verify/verify-executor.js';
import * as ops from '#graph/emit.js';
import * as elementwise from '#graph/emit/elementwise.js';
import { reduceLogSumExp, reduceMax } from '#graph/emit/reductions.js';
import { referenceTensor } from '#graph/reference-tensor.js';
import { comparing, graphOf, named } from './graphs.js';

/** `keepsNaN` is false where a driver may assume that no number is infinite or NaN. */
export function values(executor: Executor, keepsNaN: boolean): void {
  const wrong = comparing(executor);

  describe('values', () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const plain = [0, -0, 1, -1, 1e-30, 1e30, 88, -104, 0.5, 2];
    const xs = keepsNaN ? [...plain, ...odd] : plain.slice(0, 4).concat(0.5, 2);

    it(`functions at zero, far out${keepsNaN ? ', at infinity and at NaN' : ''}`, async () => {
      const graph = graphOf([[xs.length]], (e, [x]) => [
        ops.neg(e, x!),
        ops.exp(e, x!),
        ops.tanh(e, x!),
        ops.sigmoid(e, x!),
        ops.relu(e, x!),
        ops.step(e, x!),
        elementwise.abs(e, x!),
        ops.mul(e, x!, e.scalar(0)),
        ...(keepsNaN ? [ops.log(e, x!), ops.sqrt(e, x!), ops.div(e, e.scalar(1), x!), elementwise.isNaN(e, x!)] : []),
      ]);
      for (const { name: y } of graph.outputs) {
        const one = { ...graph, outputs: graph.outputs.filter((o) => o.name === y) };
        const inputs = rounded(named([referenceTensor([xs.length], xs)]));
        const [actual, expected] = [await runOnce(executor, one, inputs), runExactly(one, inputs)];
        // Each number by itself: beside 1e30 every other one would be rounding.
        for (const [i, x] of xs.entries()) {
          const want = Math.fround(expected[y]![i]!);
          expect(relativeError([actual[y]![i]!], [want]), `${y}(${x}) = ${actual[y]![i]}, not ${want}`).toBeLessThan(
            sampleTolerance,
          );
        }
      }
    });

    it('pairs of them', async () => {
      const pairs = xs
        .flatMap((a) => xs.map((b) => [a, b] as const))
        .filter(([a, b]) => Math.abs(a * b) < 1e38 || !Number.isFinite(a * b));
      const tensors = [0, 1].map((side) =>
        referenceTensor(
          [pairs.length],
          pairs.map((pair) => pair[side]!),
        ),
      );
      const graph = graphOf([[pairs.length], [pairs.length]], (e, [a, b]) => [
        elementwise.less(e, a!, b!),
        elementwise.equal(e, a!, b!),
        elementwise.where(e, elementwise.less(e, a!, b!), a!, b!),
      ]);
      const inputs = rounded(named(tensors));
      const [actual, expected] = [await runOnce(executor, graph, inputs), runExactly(graph, inputs)];
      for (const { name: y } of graph.outputs) {
        const wrong = pairs.filter((_, i) => relativeError([actual[y]![i]!], [expected[y]![i]!]) > sampleTolerance);
        expect(wrong, y).toEqual([]);
      }
    });

    it('ties: the largest of equals, and what its gradient is', async () => {
      const graph = graphOf(
        [
          [2, 3],
          [2, 3],
        ],
        (e, [x, y]) => {
          const largest = reduceMax(e, x!, [1], true);
          return [largest, elementwise.equal(e, x!, largest), elementwise.max(e, x!, y!), elementwise.min(e, x!, y!)];
        },
      );
      const tied = referenceTensor([2, 3], [1, 1, 0, 2, 2, 2]);
      expect(await wrong(graph, [tied, referenceTensor([2, 3], [1, 0, 0, 2, 3, 2])])).toEqual([]);
    });

    const inf = Number.NEGATIVE_INFINITY;
    const logits = [[1000, 1001, 1002, -1000, -1001, -1002], ...(keepsNaN ? [[0, inf, 1, 5, inf, 5]] : [])];
    it.each(logits)('powers that are large, and masked ones (%f, %f, …)', async (...row) => {
      const graph = graphOf([[2, 3]], (e, [x]) => [ops.softmax(e, x!, 1), ops.logSoftmax(e, x!, 1), reduceLogSumExp(e, x!, [1])]);
      expect(await wrong(graph, [referenceTensor([2, 3], row)])).toEqual([]);
    });
  });
}
