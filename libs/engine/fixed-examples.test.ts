import { expect, it } from 'vitest';
import { attachLoss, linearize, mlp } from '#graph/index.js';
import { withFixedExamples } from './fixed-examples.js';

const training = attachLoss(mlp({ sizes: [4, 3, 2], activation: 'tanh' }), {
  kind: 'cross-entropy',
  reduction: 'sum-outputs',
  halved: false,
});
const { tangent } = linearize(training);
const rows = (data: Float32Array) => ({
  examples: 5,
  inputs: [{ name: 'x', dtype: 'float32' as const, shape: [4], rowSize: 4, data }],
});

it('data that weights are multiplied with becomes a constant, at the right of its products', () => {
  const { graph } = withFixedExamples(tangent, rows(new Float32Array(20)));
  const constants = new Set(graph.constants.map(({ name }) => name));
  const products = graph.nodes.filter(({ op, inputs }) => op === 'matmul' && inputs.some((name) => constants.has(name)));
  expect(graph.inputs.map(({ name }) => name)).not.toContain('x');
  expect(products.map(({ inputs }) => inputs.map((name) => constants.has(name)))).toEqual([
    [false, true],
    [false, true],
  ]);
});

it('nothing is free any more, and inputs and outputs keep their names', () => {
  const { graph, products, vectors } = withFixedExamples(tangent, rows(new Float32Array(20)));
  expect(graph.nodes.flatMap(({ shape }) => shape).filter((dim) => typeof dim === 'string')).toEqual([]);
  expect(graph.outputs.map(({ name }) => name)).toEqual(products[0]);
  expect(graph.inputs.map(({ name }) => name)).toEqual(expect.arrayContaining([...(vectors[0] ?? [])]));
});

it('data that is too large to be held twice stays an input', () => {
  const large = { ...rows(new Float32Array(0)), examples: 5 };
  const data = new Float32Array(17 * 2 ** 20);
  const { graph } = withFixedExamples(tangent, { ...large, inputs: [{ ...large.inputs[0]!, data }] });
  expect(graph.inputs.map(({ name }) => name)).toContain('x');
});
