import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.js';
import { add, matmul, mul } from './emit.js';
import type { Dim, Graph } from './graph.js';
import { withJoinedProducts } from './join-products.js';
import type { Value } from './op.js';
import { referenceTensor } from './reference-tensor.js';
import { runReference } from './run-reference.js';
import { differences, uniform } from './testing/numbers.js';

const BATCH = 5;

interface Flags {
  readonly transA?: boolean;
  readonly transB?: boolean;
}

/** A sum of products of matrices of these inner sizes. */
function sumOfProducts(rows: Dim, columns: Dim, inner: readonly Dim[], flags: readonly Flags[] = []): Graph {
  const e = new GraphBuilder();
  const input = (name: string, shape: readonly Dim[]): Value => e.input({ name, role: 'data', dtype: 'float32', shape });
  const products = inner.map((size, i) => {
    const { transA = false, transB = false } = flags[i] ?? flags[0] ?? {};
    const a = input(`a${i}`, transA ? [size, rows] : [rows, size]);
    const b = input(`b${i}`, transB ? [columns, size] : [size, columns]);
    return matmul(e, a, b, { transA, transB });
  });
  return e.build([{ name: 'sum', value: products.reduce((sum, product) => add(e, sum, product)) }]);
}

const products = (graph: Graph): number => graph.nodes.filter(({ op }) => op === 'matmul').length;

function resultOf(graph: Graph): readonly number[] {
  const next = uniform(3);
  const inputs = graph.inputs
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, shape }) => {
      const fixed = shape.map((dim) => (dim === 'batch' ? BATCH : Number(dim)));
      return [name, referenceTensor(fixed, Array.from({ length: fixed.reduce((x, y) => x * y, 1) }, next))] as const;
    });
  return [...runReference(graph, Object.fromEntries(inputs))[graph.outputs[0]!.name]!.data];
}

describe('sums of matrix products', () => {
  const transpositions: readonly Flags[] = [{}, { transA: true }, { transB: true }, { transA: true, transB: true }];

  it.each(transpositions)('are one product where the inner axes are short: %o', (flags) => {
    const graph = sumOfProducts(40, 60, [3, 2], [flags]);
    const joined = withJoinedProducts(graph);
    expect(products(joined)).toBe(1);
    expect(differences(resultOf(joined), resultOf(graph), 1e-12)).toEqual([]);
  });

  it('join one after the other', () => {
    const graph = sumOfProducts(40, 60, [3, 2, 1]);
    const joined = withJoinedProducts(graph);
    expect(products(joined)).toBe(1);
    expect(differences(resultOf(joined), resultOf(graph), 1e-12)).toEqual([]);
  });

  it('may have examples in a row or a column', () => {
    for (const [rows, columns] of [
      ['batch', 60],
      [60, 'batch'],
    ] as const) {
      const graph = sumOfProducts(rows, columns, [3, 2]);
      const joined = withJoinedProducts(graph);
      expect(products(joined)).toBe(1);
      expect(differences(resultOf(joined), resultOf(graph), 1e-12)).toEqual([]);
    }
  });

  it.each([
    ['whose inner axes are long', sumOfProducts(40, 60, [40, 40])],
    ['over the examples', sumOfProducts(40, 60, ['batch', 'batch'])],
    ['of which one is transposed', sumOfProducts(40, 60, [3, 2], [{}, { transB: true }])],
  ])('%s stay as they are', (_, graph) => {
    expect(withJoinedProducts(graph)).toEqual(graph);
  });

  it('stay as they are where a product has another use', () => {
    const e = new GraphBuilder();
    const input = (name: string, shape: readonly number[]): Value => e.input({ name, role: 'data', dtype: 'float32', shape });
    const first = matmul(e, input('a', [40, 3]), input('b', [3, 60]));
    const second = matmul(e, input('c', [40, 2]), input('d', [2, 60]));
    const graph = e.build([{ name: 'sum', value: add(e, mul(e, first, first), add(e, first, second)) }]);
    expect(products(withJoinedProducts(graph))).toBe(2);
  });
});
