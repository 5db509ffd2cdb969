import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.js';
import { dependenceOn } from './dependence.js';
import { add, div, expand, matmul, mul, neg, reduceSum, reshape, sub, transpose } from './emit.js';
import { less, where } from './emit/elementwise.js';
import type { Graph } from './graph.js';
import { collected } from './linear-forms.js';
import type { Emit, Value } from './op.js';
import { runReference } from './run-reference.js';
import { differences, randomTensor, uniform } from './testing/numbers.js';

const shape = [3, 4];

/** The graph before and after, of fixed values p, q and moving t, u. */
function both(make: (e: Emit, p: Value, q: Value, t: Value, u: Value) => readonly Value[]): { before: Graph; after: Graph } {
  const builder = new GraphBuilder();
  const input = (name: string, role: 'data' | 'vector'): Value => builder.input({ name, role, dtype: 'float32', shape });
  const [p, q, t, u] = [input('p', 'data'), input('q', 'data'), input('t', 'vector'), input('u', 'vector')];
  const ends = make(builder, p, q, t, u);
  const named = (values: readonly Value[]): Graph =>
    builder.build(
      values.map((value, i) => ({ name: `y${i}`, value })),
      ['data', 'vector'],
    );
  return { before: named(ends), after: named(collected(builder, ends, dependenceOn([t, u]))) };
}

function agree({ before, after }: { before: Graph; after: Graph }): void {
  const next = uniform(5);
  const inputs = Object.fromEntries(before.inputs.map(({ name }) => [name, randomTensor(shape, next)]));
  const [was, is] = [runReference(before, inputs), runReference(after, inputs)];
  for (const { name } of before.outputs) {
    expect(is[name]?.shape).toEqual(was[name]?.shape);
    expect(differences(is[name]?.data, was[name]?.data ?? [], 1e-12)).toEqual([]);
  }
}

/** Nodes that a vector goes through. */
function movingOps(graph: Graph): string[] {
  const moving = new Set(graph.inputs.filter(({ role }) => role === 'vector').map(({ name }) => name));
  return graph.nodes.flatMap(({ op, inputs, output }) => {
    if (!inputs.some((name) => moving.has(name))) return [];
    moving.add(output);
    return [op];
  });
}

describe('linear forms', () => {
  it('the factors of one moving value become one', () => {
    const graphs = both((e, p, q, t) => [add(e, mul(e, p, mul(e, q, t)), sub(e, mul(e, q, t), div(e, t, p)))]);
    agree(graphs);
    expect(movingOps(graphs.after)).toEqual(['mul']);
  });

  it('a factor that several terms share is multiplied once', () => {
    const graphs = both((e, p, q, t, u) => [mul(e, q, sub(e, mul(e, p, t), mul(e, p, u)))]);
    agree(graphs);
    expect(movingOps(graphs.after).toSorted()).toEqual(['mul', 'sub']);
  });

  it('a choice between moving values and 0 becomes a factor', () => {
    const graphs = both((e, p, q, t, u) => {
      const isLess = less(e, p, q);
      const inner = where(e, isLess, mul(e, p, t), where(e, less(e, e.scalar(0), p), e.scalar(0), t));
      return [add(e, mul(e, q, inner), where(e, isLess, e.scalar(0), u))];
    });
    agree(graphs);
    expect(movingOps(graphs.after).toSorted()).toEqual(['add', 'mul', 'mul']);
  });

  it('an infinite factor that is not chosen plays no part', () => {
    const { before, after } = both((e, p, q, t) => [where(e, less(e, p, e.scalar(2)), mul(e, q, t), e.scalar(0))]);
    const inputs = Object.fromEntries(
      before.inputs.map(({ name }) => [name, { shape, data: new Float64Array(12).fill(name === 'q' ? Infinity : 3) }]),
    );
    for (const graph of [before, after]) expect(runReference(graph, inputs)['y0']?.data[0]).toBe(0);
    expect(movingOps(after)).toEqual(['mul']);
  });

  it('a sum that leads to two places is made once', () => {
    const graphs = both((e, p, q, t, u) => {
      const sum = add(e, t, u);
      return [matmul(e, mul(e, p, sum), q, { transB: true }), matmul(e, mul(e, q, sum), p, { transB: true })];
    });
    agree(graphs);
    expect(movingOps(graphs.after).toSorted()).toEqual(['add', 'matmul', 'matmul', 'mul', 'mul']);
  });

  it('signs go through sums, products and changes of shape', () => {
    const graphs = both((e, p, _, t, u) => [
      sub(e, reduceSum(e, u, [1]), reduceSum(e, neg(e, mul(e, p, t)), [1])),
      neg(e, transpose(e, neg(e, add(e, t, u)), [1, 0])),
      add(e, matmul(e, neg(e, add(e, t, u)), p, { transB: true }), matmul(e, u, p, { transB: true })),
    ]);
    agree(graphs);
    expect(movingOps(graphs.after)).not.toContain('neg');
  });

  it('what was stretched keeps its shape', () => {
    const graphs = both((e, p, _, t, u) => {
      const row = reshape(e, reduceSum(e, mul(e, p, t), [0]), [1, 4]);
      const stretched = neg(e, expand(e, row, [3, 4]));
      return [
        reduceSum(e, stretched, [0]),
        stretched,
        add(e, stretched, mul(e, p, row)),
        reduceSum(e, add(e, stretched, u), [0]),
      ];
    });
    agree(graphs);
    expect(graphs.after.outputs.map((output) => output.shape)).toEqual([[4], shape, shape, [4]]);
  });

  it('an infinite factor meets the same numbers as before', () => {
    const { before, after } = both((e, p, q, t) => [mul(e, p, mul(e, q, t))]);
    const tensor = (values: readonly number[]) => ({
      shape,
      data: Float64Array.from({ length: 12 }, (_, i) => values[i % values.length]!),
    });
    const inputs = { p: tensor([Infinity, NaN, 0]), q: tensor([0, 2, Infinity]), t: tensor([1, 0]), u: tensor([1]) };
    expect(runReference(after, inputs)).toEqual(runReference(before, inputs));
  });
});
