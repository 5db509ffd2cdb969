import { describe, expect, it } from 'vitest';
import { attachLoss } from './attach-loss.js';
import { GraphBuilder } from './builder.js';
import { add, batchSize, div, matmul, mul, reduceMean, reduceSum, relu, reshape, sub, transpose } from './emit.js';
import type { Graph, Shape } from './graph.js';
import { mixesExamples } from './mixes-examples.js';
import { mlp } from './networks.js';
import type { Emit, Value } from './op.js';
import { referenceTensor } from './reference-tensor.js';
import type { ReferenceTensor } from './reference-tensor.js';
import { runReference } from './run-reference.js';
import { factorOf, isFree, resolveShape, stridesOf } from './shapes.js';
import { randomTensor, uniform } from './testing/numbers.js';
import type { Sample } from './samples/sample.js';
import { samples } from './samples/samples.js';

const BATCH = 3;
const CHANGED = 1;

function graphOf(inputs: readonly Shape[], make: (e: Emit, inputs: readonly Value[]) => Value): Graph {
  const builder = new GraphBuilder();
  const values = inputs.map((shape, i) =>
    builder.input({ name: `x${i}`, role: shape.some(isFree) ? 'data' : 'parameter', dtype: 'float32', shape }),
  );
  builder.input({ name: 'examples', role: 'data', dtype: 'float32', shape: ['batch'] });
  return builder.build([{ name: 'y', value: make(builder, values) }]);
}

/** For each element, the example that it belongs to. */
function examplesAlong(shape: Shape): number[] {
  const axis = shape.findIndex(isFree);
  const sizes = resolveShape(shape, BATCH);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (axis < 0) return Array.from({ length: count }, () => -1);
  const stride = stridesOf(sizes)[axis] ?? 1;
  return Array.from({ length: count }, (_, i) =>
    Math.floor((Math.floor(i / stride) % (sizes[axis] ?? 1)) / factorOf(shape[axis] ?? 1)),
  );
}

/** Runs it, changes one example, and looks whether the others' results stay. */
function mixesWhenRun(graph: Graph, range: Sample['range']): boolean {
  const next = uniform(3);
  const given = Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [name, randomTensor(resolveShape(shape, BATCH), next, range)] as const),
  );
  const [low, high] = range ?? [-1, 1];
  const changed = Object.fromEntries(
    graph.inputs.map(({ name, shape, role }) => {
      const tensor = given[name] as ReferenceTensor;
      if (role !== 'data') return [name, tensor];
      const belongs = examplesAlong(shape);
      const data = tensor.data.map((x, i) => (belongs[i] === CHANGED ? low + ((next() + 1) / 2) * (high - low) : x));
      return [name, referenceTensor(tensor.shape, data)];
    }),
  );
  const [before, after] = [runReference(graph, given)['y'], runReference(graph, changed)['y']];
  const belongs = examplesAlong(graph.outputs[0]?.shape ?? []);
  return belongs.some((example, i) => example !== CHANGED && !Object.is(before?.data[i], after?.data[i]));
}

describe('mixesExamples', () => {
  const free = samples.filter(({ inputs }) => inputs.some((shape) => shape.some(isFree)));
  const graphs = free.map((sample) => ({ sample, graph: graphOf(sample.inputs, sample.make) }));

  it.each(graphs)('what ties examples together is seen - $sample.op, $sample.case', ({ sample, graph }) => {
    expect(mixesExamples(graph) || !mixesWhenRun(graph, sample.range)).toBe(true);
  });

  it('what keeps examples apart is seen, but for ops of derivatives, and what looks at the place in the chunk', () => {
    const suspected = graphs.filter(({ sample, graph }) => mixesExamples(graph) && !mixesWhenRun(graph, sample.range));
    const ops = [...new Set(suspected.map(({ sample }) => sample.op))].sort();
    expect(ops).toEqual([
      'averagePoolGradient',
      'batchSize',
      'counting',
      'gatherElements',
      'maxPoolIndex',
      'oneHot',
      'scatterAdd',
      'scatterElementsAdd',
    ]);
  });

  const training = (make: (e: Emit, x: Value, w: Value) => Value): Graph => {
    const forward = graphOf(
      [
        ['batch', 4],
        [4, 3],
      ],
      (e, [x, w]) => make(e, x!, w!),
    );
    return attachLoss(forward, { kind: 'mse', reduction: 'sum-outputs', halved: true });
  };
  const normalised = (e: Emit, x: Value): Value => sub(e, x, reduceMean(e, x, [0], true));

  it.each([
    ['a mean over the batch', normalised, true],
    ['a mean over an example', (e: Emit, x: Value) => sub(e, x, reduceMean(e, x, [1], true)), false],
    ['a product with weights', (e: Emit, x: Value, w: Value) => relu(e, matmul(e, x, w)), false],
    ['similarities of examples, summed', (e: Emit, x: Value) => reduceSum(e, matmul(e, x, x, { transB: true }), [1], true), true],
    ['the size of the chunk', (e: Emit, x: Value) => div(e, x, batchSize(e)), true],
    ['a product within each example', (e: Emit, x: Value) => mul(e, x, add(e, x, x)), false],
    [
      'merged with another axis that comes first, and apart again',
      (e: Emit, x: Value) => {
        const merged = relu(e, reshape(e, transpose(e, x, [1, 0]), ['batch*4']));
        return transpose(e, reshape(e, merged, [4, 'batch']), [1, 0]);
      },
      false,
    ],
    [
      'merged with another axis that comes first, and taken for examples first',
      (e: Emit, x: Value) => reshape(e, relu(e, reshape(e, transpose(e, x, [1, 0]), ['batch*4'])), ['batch', 4]),
      true,
    ],
    ['there and back', (e: Emit, x: Value) => transpose(e, relu(e, transpose(e, x, [1, 0])), [1, 0]), false],
  ] as const)('of a training graph - %s', (_, make, expected) => {
    expect(mixesExamples(training(make))).toBe(expected);
  });

  it('a network of dense layers keeps them apart', () => {
    const graph = mlp({ sizes: [5, 4, 3], activation: 'tanh' });
    expect(mixesExamples(graph)).toBe(false);
    expect(mixesExamples(attachLoss(graph, { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false }))).toBe(false);
  });
});
