/** What ONNX Runtime does not compute, or not as ONNX says: statistics of a batch, sequences with the batch first, and refusals. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../builder.js';
import { forward, reverse } from '../../differentiate.js';
import { add, mul, reduceSum, softmax } from '../../emit.js';
import { isNaN } from '../../emit/elementwise.js';
import type { Graph } from '../../graph.js';
import { mixesExamples } from '../../mixes-examples.js';
import type { Value } from '../../op.js';
import { runReference } from '../../run-reference.js';
import { differences } from '../../testing/numbers.js';
import { BATCH, importedFrom, inputsOf, resultOf } from '../../testing/operator-model.js';
import type { Operator } from '../../testing/operator-model.js';
import { runOrt } from '../../testing/ort.js';
import { guardedChoice } from './guarded-softmax.js';

const SPACE = 4;
const image = [-1, 3, 2, 2];

const training = (given: Partial<Operator>): Operator => ({
  op: 'BatchNormalization',
  case: 'training mode',
  opset: 15,
  inputs: [image, [3], [3], [3], [3]],
  attributes: { training_mode: 1, epsilon: 0.01, momentum: 0.7 },
  outputs: 3,
  ...given,
});

/** By the textbook: x of [batch, 3, 2, 2]. */
function byHand(operator: Operator): { y: number[]; mean: number[]; variance: number[] } {
  const inputs = inputsOf(operator);
  const numbers = (i: number): number[] => [...(inputs[`x${i}`]?.data ?? [])];
  const [x, scale, shift, runningMean, runningVariance] = [0, 1, 2, 3, 4].map(numbers) as [
    number[],
    number[],
    number[],
    number[],
    number[],
  ];
  const channelOf = (i: number): number => Math.floor(i / SPACE) % 3;
  const count = BATCH * SPACE;
  const sums = (f: (value: number, channel: number) => number): number[] =>
    [0, 1, 2].map((c) => x.reduce((sum, value, i) => (channelOf(i) === c ? sum + f(value, c) : sum), 0) / count);
  const mean = sums((value) => value);
  const variance = sums((value, c) => (value - mean[c]!) ** 2);
  const y = x.map((value, i) => {
    const c = channelOf(i);
    return ((value - mean[c]!) / Math.sqrt(variance[c]! + 0.01)) * scale[c]! + shift[c]!;
  });
  const moved = (running: number[], batch: number[]): number[] => running.map((value, c) => 0.7 * value + (1 - 0.7) * batch[c]!);
  return { y, mean: moved(runningMean, mean), variance: moved(runningVariance, variance) };
}

describe('batch normalisation in training mode', () => {
  it('uses the statistics of the batch', () => {
    expect(differences(resultOf(training({})).data, byHand(training({})).y, 1e-7)).toEqual([]);
  });

  it('moves the running statistics', () => {
    const expected = byHand(training({}));
    expect(differences(resultOf(training({ output: 1 })).data, expected.mean, 1e-7)).toEqual([]);
    expect(differences(resultOf(training({ output: 2 })).data, expected.variance, 1e-7)).toEqual([]);
  });

  it('before opset 14 it is known by its results', () => {
    const old = training({ opset: 9, attributes: { epsilon: 0.01, momentum: 0.7 }, outputs: 5 });
    expect(differences(resultOf(old).data, byHand(old).y, 1e-7)).toEqual([]);
  });

  it('ties examples together, evaluation mode does not', () => {
    expect(mixesExamples(importedFrom(training({})))).toBe(true);
    expect(mixesExamples(importedFrom(training({ attributes: {}, outputs: 1 })))).toBe(false);
  });
});

describe('sequences with the batch first', () => {
  const [time, width, hidden] = [4, 3, 2];
  const lstm = (layout: number, output: number): Operator => ({
    op: 'LSTM',
    case: 'layout',
    opset: 14,
    inputs: [layout === 1 ? [-1, time, width] : [time, -1, width], [1, 4 * hidden, width], [1, 4 * hidden, hidden]],
    attributes: { hidden_size: hidden, layout },
    outputs: 3,
    output,
  });

  it('gives the results of the other layout, transposed', () => {
    const [batchFirst, timeFirst] = [resultOf(lstm(1, 0)), resultOf(lstm(0, 0))];
    expect(batchFirst.shape).toEqual([BATCH, time, 1, hidden]);
    const transposed = batchFirst.data.map((_, i) => {
      const [b, t, h] = [Math.floor(i / (time * hidden)), Math.floor(i / hidden) % time, i % hidden];
      return timeFirst.data[(t * BATCH + b) * hidden + h] ?? Number.NaN;
    });
    expect(differences(batchFirst.data, transposed, 0)).toEqual([]);
    expect(resultOf(lstm(1, 2)).shape).toEqual([BATCH, 1, hidden]);
  });
});

describe('what a recurrent layer cannot be', () => {
  const base: Operator = {
    op: 'LSTM',
    case: 'refused',
    opset: 14,
    inputs: [
      [4, -1, 3],
      [1, 8, 3],
      [1, 8, 2],
    ],
    attributes: { hidden_size: 2 },
    outputs: 3,
  };
  const refused: readonly (readonly [string, Partial<Operator>, string])[] = [
    [
      'sequences of several lengths',
      { inputs: [...base.inputs, undefined, { integers: [4, 3, 4], dims: [3], type: 'int32' }] },
      'several lengths',
    ],
    ['an unknown activation', { attributes: { hidden_size: 2, activations: ['Sigmoid', 'Softsign', 'Tanh'] } }, 'Softsign'],
    ['clipping', { attributes: { hidden_size: 2, clip: 1 } }, 'clip'],
    ['a free length', { attributes: { hidden_size: 2, layout: 1 } }, 'a length that is fixed'],
  ];
  it.each(refused)('%s', (_, given, problem) => {
    let error: unknown;
    try {
      importedFrom({ ...base, ...given });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'UNSUPPORTED_MODEL', field: 'node it' });
    expect(`${String(error)} ${(error as { expected?: string }).expected}`).toContain(problem);
  });
});

describe('a mask of −∞', () => {
  /** Sum of squares, its gradient by queries and keys, and the derivative of that along both. */
  function derivatives(operator: Operator): Graph {
    const builder = new GraphBuilder();
    const network = importedFrom(operator);
    const values = builder.inline(network);
    const y = values.get(network.outputs[0]?.name ?? '');
    if (y === undefined) throw new Error('There is no result');
    const sources = network.inputs.flatMap(({ name }) => values.get(name) ?? []);
    const loss = reduceSum(
      builder,
      mul(builder, y, y),
      y.shape.map((_, axis) => axis),
    );
    const gradients = reverse(builder, loss, sources).flatMap((value) => value ?? []);
    const moved = forward(builder, gradients, new Map(sources.map((source) => [source, source])));
    const outputs = [y, ...gradients, ...moved.flatMap((value) => value ?? [])];
    return builder.build(outputs.map((value, i) => ({ name: `value${i}`, value })));
  }

  const inputs: Operator['inputs'] = [
    [-1, 2, 3, 2],
    [-1, 2, 3, 2],
    [-1, 2, 3, 2],
  ];
  const cases: readonly Operator[] = [
    { op: 'Attention', case: 'causal', opset: 23, inputs, attributes: { is_causal: 1 } },
    {
      op: 'Attention',
      case: 'a query that sees nothing',
      opset: 23,
      inputs: [...inputs, { integers: [1, 0, 1, 0, 0, 0, 1, 1, 1], dims: [3, 3], type: 'bool' }],
    },
  ];
  it('the guard against NaN that PyTorch writes leaves none in derivatives', () => {
    const builder = new GraphBuilder();
    const [scores, mask] = ['scores', 'mask'].map((name) =>
      builder.input({ name, role: 'data', dtype: 'float32', shape: ['batch', 3] }),
    ) as [Value, Value];
    const weights = softmax(builder, add(builder, scores, mask), 1);
    const y = guardedChoice(builder, isNaN(builder, weights), builder.scalar(0), weights);
    const gradients = reverse(builder, reduceSum(builder, mul(builder, y, y), [0, 1]), [scores]).flatMap((value) => value ?? []);
    const moved = forward(builder, gradients, new Map([[scores, scores]])).flatMap((value) => value ?? []);
    const graph = builder.build([y, ...gradients, ...moved].map((value, i) => ({ name: `value${i}`, value })));
    const rows = (numbers: readonly number[]) => ({ shape: [2, 3], data: Float64Array.from(numbers) });
    const results = runReference(graph, {
      scores: rows([1, 2, 3, 0.5, -1, 2]),
      mask: rows([-Infinity, -Infinity, -Infinity, 0, 0, -Infinity]),
    });
    const found = Object.values(results).map(({ data }) => [...data]);
    expect(found).toHaveLength(3);
    expect(found.map((data) => data.slice(0, 3))).toEqual([0, 1, 2].map(() => [0, 0, 0]));
    expect(found.flat().every(Number.isFinite)).toBe(true);
    expect(found[2]?.slice(3, 5).every((x) => x !== 0)).toBe(true);
  });

  it.each(cases)('derivatives of first and second order are numbers - $case', async (operator) => {
    const graph = derivatives(operator);
    const [here, there] = [runReference(graph, inputsOf(operator)), await runOrt(graph, inputsOf(operator))];
    expect(graph.outputs.length).toBe(7);
    for (const { name } of graph.outputs) {
      expect([...(here[name]?.data ?? [Number.NaN])].every(Number.isFinite), name).toBe(true);
      expect(differences(there[name], here[name]?.data, 2e-5)).toEqual([]);
    }
  });
});
