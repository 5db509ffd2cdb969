import { describe, expect, it } from 'vitest';
import { GraphBuilder } from './builder.js';
import * as ops from './emit.js';
import type { Dim, Graph } from './graph.js';
import type { Value } from './op.js';
import { runReference } from './run-reference.js';
import { differences, randomInputs } from './testing/numbers.js';

function setup(shape: readonly Dim[] = ['batch', 3], simplify = true): { e: GraphBuilder; x: Value; y: Value } {
  const e = new GraphBuilder({ simplify });
  const x = e.input({ name: 'x', role: 'data', dtype: 'float32', shape });
  const y = e.input({ name: 'y', role: 'data', dtype: 'float32', shape });
  return { e, x, y };
}

const opsOf = (graph: Graph): string[] => graph.nodes.map((node) => node.op);

describe('builder - one value for one expression', () => {
  it('the same op on the same inputs', () => {
    const { e, x, y } = setup();
    expect(ops.mul(e, x, y)).toBe(ops.mul(e, x, y));
    expect(ops.sub(e, x, y)).not.toBe(ops.sub(e, y, x));
  });

  it('operands of a commutative op in either order', () => {
    const { e, x, y } = setup();
    expect(ops.add(e, x, y)).toBe(ops.add(e, y, x));
  });

  it('attributes tell uses apart', () => {
    const { e, x } = setup();
    expect(ops.softmax(e, x, 0)).not.toBe(ops.softmax(e, x, 1));
    expect(ops.reduceSum(e, x, [0])).not.toBe(ops.reduceSum(e, x, [0], true));
  });

  it('equal constants', () => {
    const { e } = setup();
    expect(e.scalar(2)).toBe(e.scalar(2));
    expect(e.constant([1], Float64Array.of(2))).not.toBe(e.scalar(2));
    const large = new Float32Array(100);
    expect(e.constant([100], large)).toBe(e.constant([100], large));
    expect(e.constant([100], large)).not.toBe(e.constant([100], new Float32Array(100)));
  });

  it('two inputs of one name are refused', () => {
    const { e } = setup();
    expect(() => e.input({ name: 'x', role: 'data', dtype: 'float32', shape: [] })).toThrow(/two inputs 'x'/);
  });
});

/** What each expression becomes. All are compared with the expression as it was written, too. */
const simplifications: readonly [string, (e: GraphBuilder, x: Value, y: Value) => Value, readonly string[]][] = [
  ['x · 1', (e, x) => ops.mul(e, x, e.scalar(1)), []],
  ['x · −1', (e, x) => ops.mul(e, x, e.scalar(-1)), ['neg']],
  ['x + 0', (e, x) => ops.add(e, e.scalar(0), x), []],
  ['x − 0', (e, x) => ops.sub(e, x, e.scalar(0)), []],
  ['0 − x', (e, x) => ops.sub(e, e.scalar(0), x), ['neg']],
  ['x + x', (e, x) => ops.add(e, x, x), ['mul']],
  ['x + (−y)', (e, x, y) => ops.add(e, x, ops.neg(e, y)), ['sub']],
  ['x − (−y)', (e, x, y) => ops.sub(e, x, ops.neg(e, y)), ['add']],
  [
    '3y + (x − (−3)y)',
    (e, x, y) => ops.add(e, ops.mul(e, y, e.scalar(3)), ops.sub(e, x, ops.mul(e, y, e.scalar(-3)))),
    ['mul', 'add', 'add'],
  ],
  ['x − 3y', (e, x, y) => ops.sub(e, x, ops.mul(e, y, e.scalar(3))), ['mul', 'sub']],
  ['−(−x)', (e, x) => ops.neg(e, ops.neg(e, x)), []],
  ['−(x − y)', (e, x, y) => ops.neg(e, ops.sub(e, x, y)), ['sub']],
  ['−(3x)', (e, x) => ops.neg(e, ops.mul(e, x, e.scalar(3))), ['mul']],
  ['2 (3 x)', (e, x) => ops.mul(e, e.scalar(2), ops.mul(e, e.scalar(3), x)), ['mul']],
  ['½ (2 x)', (e, x) => ops.mul(e, e.scalar(0.5), ops.mul(e, x, e.scalar(2))), []],
  ['(−x)(−y)', (e, x, y) => ops.mul(e, ops.neg(e, x), ops.neg(e, y)), ['mul']],
  ['x / 4', (e, x) => ops.div(e, x, e.scalar(4)), ['mul']],
  ['x²', (e, x) => ops.pow(e, x, 2), ['mul']],
  ['x¹', (e, x) => ops.pow(e, x, 1), []],
  ['transposed twice', (e, x) => ops.transpose(e, ops.transpose(e, x, [1, 0]), [1, 0]), []],
  ['reshaped there and back', (e, x) => ops.reshape(e, ops.reshape(e, x, ['batch', 3, 1]), ['batch', 3]), []],
  ['xᵀ y by a transposition', (e, x, y) => ops.matmul(e, ops.transpose(e, x, [1, 0]), y), ['matmul']],
  ['x · (1 stretched)', (e, x) => ops.mul(e, x, ops.expand(e, e.scalar(1), ['batch', 3])), []],
  ['x + (y stretched by nothing)', (e, x, y) => ops.add(e, x, ops.expand(e, y, ['batch', 3])), ['add']],
  ['sum of a stretched number', (e, x) => ops.mul(e, x, ops.reduceSum(e, ops.expand(e, e.scalar(2), [5, 4]), [0, 1])), ['mul']],
  [
    'sum of a number stretched over the batch',
    (e) => ops.reduceSum(e, ops.expand(e, e.scalar(2), ['batch', 3]), [0, 1]),
    ['batchSize', 'mul'],
  ],
  ['sum over axes of size 1', (e, x) => ops.reduceSum(e, ops.reshape(e, x, ['batch', 1, 3]), [1]), []],
  ['constants', (e) => ops.tanh(e, ops.add(e, e.scalar(1), e.scalar(2))), []],
];

describe('builder - simplification', () => {
  it.each(simplifications)('%s', (_, make, expected) => {
    const { e, x, y } = setup();
    expect(opsOf(e.build([{ name: 'result', value: make(e, x, y) }]))).toEqual(expected);
  });

  it.each(simplifications)('%s - has the same value as without', (_, make) => {
    const [clean, written] = [true, false].map((simplify) => {
      const { e, x, y } = setup(undefined, simplify);
      return e.build([{ name: 'r', value: make(e, x, y) }]);
    }) as [Graph, Graph];
    const inputs = randomInputs(clean, 4);
    expect(differences(runReference(clean, inputs)['r']?.data, runReference(written, inputs)['r']?.data, 1e-12)).toEqual([]);
  });

  it('does not lose what broadcasting adds', () => {
    const { e, x } = setup([3]);
    const zeros = e.constant([2, 1], Float64Array.of(0, 0));
    expect(ops.add(e, x, zeros).shape).toEqual([2, 3]);
    expect(ops.mul(e, x, e.constant([1, 1], Float64Array.of(1))).shape).toEqual([1, 3]);
  });

  it('x · 0 stays, because x may be NaN', () => {
    const { e, x } = setup();
    expect(opsOf(e.build([{ name: 'r', value: ops.mul(e, x, e.scalar(0)) }]))).toEqual(['mul']);
  });
});

describe('builder - build', () => {
  it('leaves out what no output needs', () => {
    const { e, x, y } = setup();
    ops.exp(e, y);
    const graph = e.build([{ name: 'r', value: ops.tanh(e, x) }], []);
    expect(opsOf(graph)).toEqual(['tanh']);
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });

  it('a name that is taken is not taken again', () => {
    const e = new GraphBuilder();
    const x = e.input({ name: 'tanh_0', role: 'data', dtype: 'float32', shape: [2] });
    const graph = e.build([{ name: 'r', value: ops.exp(e, ops.tanh(e, x)) }]);
    const names = [...graph.inputs.map(({ name }) => name), ...graph.nodes.map(({ output }) => output)];
    expect(new Set(names).size).toBe(names.length);
    expect(runReference(graph, { tanh_0: { shape: [2], data: Float64Array.of(0, 1) } })['r']?.data[0]).toBe(1);
  });

  it('a graph that is copied in is the same graph', () => {
    const { e, x, y } = setup();
    const graph = e.build([{ name: 'r', value: ops.tanh(e, ops.mul(e, x, y)) }]);
    const other = new GraphBuilder();
    const value = other.inline(graph).get('r');
    expect(value && other.build([{ name: 'r', value }])).toEqual(graph);
  });

  it('shapes that do not fit are refused', () => {
    const { e, x } = setup();
    expect(() => ops.add(e, x, e.constant([2], Float64Array.of(1, 2)))).toThrow(/do not fit together/);
    expect(() => ops.matmul(e, x, x)).toThrow(/matrix product/);
    expect(() => ops.reshape(e, x, [3])).toThrow(/cannot take the shape/);
  });
});
