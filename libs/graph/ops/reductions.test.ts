/** Reductions over nothing and over one element. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.js';
import { forward, reverse } from '../differentiate.js';
import { mul, reduceMean, reduceSum } from '../emit.js';
import * as reductions from '../emit/reductions.js';
import type { Graph } from '../graph.js';
import type { Emit, Value } from '../op.js';
import { referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { runOrt } from '../testing/ort.js';

type Reduction = (e: Emit, x: Value, axes: readonly number[], keepDims?: boolean) => Value;

const all: readonly (readonly [name: string, reduce: Reduction, ofNothing: number])[] = [
  ['reduceSum', reduceSum, 0],
  ['reduceMean', reduceMean, Number.NaN],
  ['reduceMax', reductions.reduceMax, -Infinity],
  ['reduceMin', reductions.reduceMin, Infinity],
  ['reduceProd', reductions.reduceProd, 1],
  ['reduceLogSumExp', reductions.reduceLogSumExp, -Infinity],
  ['reduceL1', reductions.reduceL1, 0],
  ['reduceL2', reductions.reduceL2, 0],
  ['reduceSumSquare', reductions.reduceSumSquare, 0],
  ['reduceLogSum', reductions.reduceLogSum, -Infinity],
];

/** The result of [batch, length] over its last axis, its gradient by x, and how that moves with x. */
function graphOf(reduce: Reduction, length: number): Graph {
  const e = new GraphBuilder();
  const x = e.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', length] });
  const y = reduce(e, x, [1]);
  const [slope] = reverse(e, reduceSum(e, mul(e, y, y), [0]), [x]);
  const gradient = slope ?? mul(e, x, e.scalar(0));
  const [moved] = forward(e, [gradient], new Map([[x, x]]));
  return e.build([
    { name: 'y', value: y },
    { name: 'gradient', value: gradient },
    { name: 'moved', value: moved ?? mul(e, x, e.scalar(0)) },
  ]);
}

describe.each(all)('%s', (_, reduce, ofNothing) => {
  it('of nothing', async () => {
    const graph = graphOf(reduce, 0);
    const inputs = { x: referenceTensor([2, 0], []) };
    for (const results of [dataOf(runReference(graph, inputs)), await runOrt(graph, inputs)]) {
      expect([...(results['y'] ?? [])]).toEqual([ofNothing, ofNothing]);
      expect(results['gradient']).toHaveLength(0);
      expect(results['moved']).toHaveLength(0);
    }
  });

  it('of no examples', async () => {
    const graph = graphOf(reduce, 3);
    const inputs = { x: referenceTensor([0, 3], []) };
    for (const results of [dataOf(runReference(graph, inputs)), await runOrt(graph, inputs)]) {
      expect(Object.values(results).map(({ length }) => length)).toEqual([0, 0, 0]);
    }
  });
});

const dataOf = (results: ReturnType<typeof runReference>): Record<string, Float64Array> =>
  Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, data]));
