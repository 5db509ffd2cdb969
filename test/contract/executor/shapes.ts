import { describe, expect, it } from 'vitest';
import type { Executor } from '#engine/executor.js';
import * as ops from '#graph/emit.js';
import * as elementwise from '#graph/emit/elementwise.js';
import { reduceMax } from '#graph/emit/reductions.js';
import { concat, gather } from '#graph/emit/shape.js';
import { referenceTensor } from '#graph/reference-tensor.js';
import { createRandom } from '#math/random.js';
import { comparing, graphOf, numbers } from './graphs.js';

export function shapes(executor: Executor): void {
  const wrong = comparing(executor);

  describe('shapes', () => {
    it.each([1, 2, 3, 4, 5, 6])('broadcasts any two shapes that fit (%i)', async (seed) => {
      const random = createRandom(seed);
      const full = Array.from({ length: 1 + random.integer(4) }, () => 1 + random.integer(4));
      const part = (): number[] => full.slice(random.integer(full.length + 1)).map((dim) => (random.uniform() < 0.4 ? 1 : dim));
      const [a, b] = [part(), part()];
      const graph = graphOf([a, b], (e, [x, y]) => [
        ops.add(e, x!, y!),
        ops.mul(e, x!, y!),
        elementwise.max(e, x!, y!),
        elementwise.where(e, elementwise.less(e, x!, y!), x!, y!),
        ops.reduceSum(e, ops.sub(e, x!, y!), [0].slice(0, Math.max(a.length, b.length))),
      ]);
      expect(await wrong(graph, [numbers(a, seed), numbers(b, seed + 100)])).toEqual([]);
    });

    it.each([1, 2, 3, 4, 5, 6])('multiplies stacks of matrices and reduces over any axes (%i)', async (seed) => {
      const random = createRandom(seed + 50);
      const size = (): number => 1 + random.integer(4);
      const [rows, inner, columns] = [size(), size(), size()];
      const stack = Array.from({ length: random.integer(3) }, size);
      const [transA, transB] = [random.uniform() < 0.5, random.uniform() < 0.5];
      const a = [...stack, ...(transA ? [inner, rows] : [rows, inner])];
      const b = [...(seed % 2 === 0 ? stack : []), ...(transB ? [columns, inner] : [inner, columns])];
      const axes = Array.from({ length: stack.length + 2 }, (_, axis) => axis).filter(() => random.uniform() < 0.5);
      const graph = graphOf([a, b], (e, [x, y]) => {
        const product = ops.matmul(e, x!, y!, { transA, transB });
        return [product, ops.reduceSum(e, product, axes, seed % 3 === 0), reduceMax(e, product, axes)];
      });
      expect(await wrong(graph, [numbers(a, seed), numbers(b, seed + 100)])).toEqual([]);
    });

    it('takes as many examples as it is fed, one as well', async () => {
      const graph = graphOf([['batch', 3]], (e, [x]) => [
        ops.softmax(e, x!, 1),
        ops.reduceSum(e, x!, [0]),
        ops.mul(e, x!, ops.batchSize(e)),
      ]);
      for (const examples of [1, 7, 2]) expect(await wrong(graph, [numbers([examples, 3], examples)])).toEqual([]);
    });

    it('knows axes without elements', async () => {
      const none = referenceTensor([0, 3], []);
      const graph = graphOf(
        [
          [0, 3],
          [2, 3],
        ],
        (e, [x, y]) => [
          ops.reduceSum(e, x!, [0]),
          concat(e, [x!, y!], 0),
          ops.matmul(e, x!, x!, { transA: true }),
          ops.mul(e, x!, x!),
          gather(e, y!, e.constant([0], new Float64Array(0), 'int64'), 0),
        ],
      );
      expect(await wrong(graph, [none, numbers([2, 3], 1)])).toEqual([]);
    });
  });
}
