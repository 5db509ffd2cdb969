import { describe, expect, it } from 'vitest';
import { attachLoss } from '../attach-loss.js';
import { GraphBuilder } from '../builder.js';
import { add, matmul, mul, reduceMean, relu, reshape, tanh } from '../emit.js';
import * as emit from '../emit/convolution.js';
import type { ConvOptions } from '../emit/convolution.js';
import { concat } from '../emit/shape.js';
import type { Graph, Shape } from '../graph.js';
import { gradient } from '../gradient.js';
import type { Value } from '../op.js';
import { runReference } from '../run-reference.js';
import { differences, randomInputs } from '../testing/numbers.js';
import { spatialFirst } from './spatial-first.js';

const one: ConvOptions = { strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], groups: 1 };

interface Case {
  readonly name: string;
  readonly input: Shape;
  readonly kernel: readonly number[];
  readonly options: ConvOptions;
}

/** A convolution between others, so that both of its ends move. */
const cases: readonly Case[] = [
  { name: '3 × 3 padded', input: ['batch', 5, 9, 8], kernel: [6, 5, 3, 3], options: one },
  { name: '3 × 3 without padding', input: ['batch', 5, 7, 10], kernel: [6, 5, 3, 3], options: { ...one, pads: [0, 0, 0, 0] } },
  { name: '5 × 5', input: ['batch', 5, 8, 8], kernel: [6, 5, 5, 5], options: { ...one, pads: [2, 2, 2, 2] } },
  { name: '2 × 4 padded unevenly', input: ['batch', 5, 8, 9], kernel: [4, 5, 2, 4], options: { ...one, pads: [1, 0, 2, 1] } },
  { name: '3 × 3 with strides', input: ['batch', 5, 9, 8], kernel: [4, 5, 3, 3], options: { ...one, strides: [2, 2] } },
  {
    name: '7 × 7 with strides',
    input: ['batch', 5, 12, 12],
    kernel: [4, 5, 7, 7],
    options: { ...one, strides: [2, 2], pads: [3, 3, 3, 3] },
  },
  { name: '1 × 1', input: ['batch', 5, 4, 4], kernel: [6, 5, 1, 1], options: { ...one, pads: [0, 0, 0, 0] } },
  {
    name: '1 × 1 with strides',
    input: ['batch', 5, 5, 4],
    kernel: [6, 5, 1, 1],
    options: { ...one, pads: [0, 0, 0, 0], strides: [2, 2] },
  },
  { name: '1 × 3', input: ['batch', 5, 4, 6], kernel: [6, 5, 1, 3], options: { ...one, pads: [0, 1, 0, 1] } },
  { name: 'depthwise', input: ['batch', 5, 8, 7], kernel: [5, 1, 3, 3], options: { ...one, groups: 5 } },
  {
    name: 'depthwise with strides',
    input: ['batch', 4, 8, 7],
    kernel: [4, 1, 3, 3],
    options: { ...one, strides: [2, 2], groups: 4 },
  },
  {
    name: 'over one axis',
    input: ['batch', 5, 11],
    kernel: [6, 5, 3],
    options: { strides: [1], pads: [1, 1], dilations: [1], groups: 1 },
  },
  {
    name: 'over three axes',
    input: ['batch', 3, 5, 4, 6],
    kernel: [3, 3, 3, 1, 3],
    options: { strides: [1, 1, 1], pads: [1, 0, 1, 1, 0, 1], dilations: [1, 1, 1], groups: 1 },
  },
  { name: 'dilated, which stays', input: ['batch', 5, 7, 8], kernel: [4, 5, 2, 2], options: { ...one, dilations: [2, 2] } },
  { name: 'grouped, which stays', input: ['batch', 4, 5, 5], kernel: [6, 2, 3, 3], options: { ...one, groups: 2 } },
];

const rank = (each: Case): number => each.kernel.length - 2;

function network(each: Case): Graph {
  const builder = new GraphBuilder();
  const parameter = (name: string, shape: Shape): Value => builder.input({ name, role: 'parameter', dtype: 'float32', shape });
  const channels = each.input[1]!;
  const first = parameter('first', [channels, 2, ...each.kernel.slice(2).map(() => 1)]);
  const kernel = parameter('kernel', each.kernel);
  const bias = parameter('bias', [each.kernel[0]!, ...each.kernel.slice(2).map(() => 1)]);
  const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 2, ...each.input.slice(2)] });
  const plain: ConvOptions = {
    strides: each.options.strides.map(() => 1),
    pads: each.options.pads.map(() => 0),
    dilations: each.options.strides.map(() => 1),
    groups: 1,
  };
  const before = tanh(builder, emit.conv(builder, x, first, plain));
  const y = tanh(builder, add(builder, emit.conv(builder, before, kernel, each.options), bias));
  const mean = reduceMean(
    builder,
    y,
    Array.from({ length: rank(each) }, (_, axis) => axis + 2),
  );
  return builder.build([{ name: 'prediction', value: mean }]);
}

/** Tiny convolutions gain nothing. */
const always = { plainPenalty: Number.POSITIVE_INFINITY };

/** Largest difference of loss and gradients before and after, in double precision. */
function compared(training: Graph): string[] {
  const [plain, rewritten] = [gradient(training), gradient(spatialFirst(training, always))];
  const inputs = randomInputs(training, 3, 4);
  const [expected, actual] = [runReference(plain.graph, inputs), runReference(rewritten.graph, inputs)];
  return [plain.loss, plain.losses, ...plain.gradients].flatMap((name) =>
    differences(actual[name]?.data, expected[name]?.data, 1e-11),
  );
}

describe('convolutions as products of matrices', () => {
  it.each(cases)('the same loss and gradient - $name', (each) => {
    const training = attachLoss(network(each), { kind: 'mse', reduction: 'sum-outputs', halved: true });
    expect(compared(training)).toEqual([]);
    const { nodes } = gradient(spatialFirst(training, always)).graph;
    const left = nodes.filter(({ op }) => op === 'convInputGradient' || op === 'convWeightGradient');
    expect(left).toHaveLength(each.name.endsWith('stays') ? 2 : 0);
  });

  it('a network with poolings, a residual, channels side by side and statistics of the batch', () => {
    const builder = new GraphBuilder();
    const parameter = (name: string, shape: Shape): Value => builder.input({ name, role: 'parameter', dtype: 'float32', shape });
    const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 2, 8, 8] });
    const stem = relu(builder, emit.conv(builder, x, parameter('stem', [4, 2, 3, 3]), one));
    const branch = relu(builder, emit.conv(builder, stem, parameter('branch', [4, 4, 3, 3]), one));
    const mean = reduceMean(builder, branch, [0, 2, 3], true);
    const residual = add(builder, stem, mul(builder, branch, mean));
    const windows = { kernel: [2, 2], strides: [2, 2], pads: [0, 0, 0, 0], dilations: [1, 1] };
    const averaged = emit.averagePool(builder, residual, windows);
    const again = emit.conv(builder, averaged, parameter('again', [3, 4, 3, 3]), one);
    const largest = emit.maxPool(builder, residual, windows);
    const joined = concat(builder, [again, averaged, largest], 1);
    const flat = reshape(builder, joined, ['batch', 11 * 16]);
    const prediction = matmul(builder, flat, parameter('last', [3, 11 * 16]), { transB: true });
    const forward = builder.build([{ name: 'prediction', value: prediction }]);
    expect(compared(attachLoss(forward, { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false }))).toEqual([]);
  });

  it('a network without convolutions is left alone', () => {
    const builder = new GraphBuilder();
    const x = builder.input({ name: 'x', role: 'data', dtype: 'float32', shape: ['batch', 2] });
    const graph = builder.build([{ name: 'prediction', value: tanh(builder, x) }]);
    expect(spatialFirst(graph)).toBe(graph);
  });
});
