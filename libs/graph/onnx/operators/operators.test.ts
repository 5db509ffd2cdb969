import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { differences } from '../../testing/numbers.js';
import { BATCH, inputsOf, modelOf, resultOf } from '../../testing/operator-model.js';
import type { Operator } from '../../testing/operator-model.js';

async function theirs(operator: Operator): Promise<{ dims: readonly number[]; data: Float32Array }> {
  const session = await ort.InferenceSession.create(modelOf(operator), { logSeverityLevel: 3 });
  const feeds = Object.entries(inputsOf(operator)).map(
    ([name, { shape, data }]) => [name, new ort.Tensor('float32', Float32Array.from(data), [...shape])] as const,
  );
  const [result] = Object.values(await session.run(Object.fromEntries(feeds)));
  await session.release();
  if (result === undefined) throw new Error('ONNX Runtime gave no result');
  return { dims: result.dims, data: result.data as Float32Array };
}

const TIME = 4;
const WIDTH = 3;
const HIDDEN = 2;
const gates = { GRU: 3, LSTM: 4, RNN: 1 } as const;

const weights = (op: keyof typeof gates, directions: number): number[][] => [
  [directions, gates[op] * HIDDEN, WIDTH],
  [directions, gates[op] * HIDDEN, HIDDEN],
  [directions, 2 * gates[op] * HIDDEN],
];

function recurrent(op: keyof typeof gates): Operator[] {
  const x = [TIME, -1, WIDTH];
  const states = op === 'LSTM' ? 2 : 1;
  const base = { op, opset: 14, outputs: states + 1, inputs: [x, ...weights(op, 1)], attributes: { hidden_size: HIDDEN } };
  const both = { hidden_size: HIDDEN, direction: 'bidirectional' };
  const initial = (directions: number): number[][] => Array.from({ length: states }, () => [directions, -1, HIDDEN]);
  const lengths = { integers: Array.from({ length: BATCH }, () => TIME), dims: [BATCH], type: 'int32' as const };
  return [
    { ...base, case: 'forward' },
    { ...base, case: 'without biases, the last state', inputs: [x, ...weights(op, 1).slice(0, 2)], output: 1 },
    { ...base, case: 'reverse', attributes: { hidden_size: HIDDEN, direction: 'reverse' } },
    { ...base, case: 'reverse, the last state', attributes: { hidden_size: HIDDEN, direction: 'reverse' }, output: 1 },
    { ...base, case: 'both directions', inputs: [x, ...weights(op, 2)], attributes: both },
    {
      ...base,
      case: 'both directions from a given state, the last of all results',
      inputs: [x, ...weights(op, 2), undefined, ...initial(2)],
      attributes: both,
      output: states,
    },
    { ...base, case: 'lengths that say nothing', inputs: [x, ...weights(op, 1), lengths] },
    {
      ...base,
      case: 'relu',
      attributes: {
        hidden_size: HIDDEN,
        activations: { GRU: ['Sigmoid', 'Relu'], LSTM: ['Sigmoid', 'Relu', 'Tanh'], RNN: ['Relu'] }[op],
      },
    },
  ];
}

const channels = [[3], [3]];
const image = [-1, 3, 2, 4];
const tokens = [-1, 4, 6];

const operators: readonly Operator[] = [
  { op: 'BatchNormalization', case: 'evaluation mode, opset 9', opset: 9, inputs: [image, [3], [3], [3], [3]], range: [0.2, 1] },
  {
    op: 'BatchNormalization',
    case: 'evaluation mode, opset 15',
    opset: 15,
    inputs: [image, [3], [3], [3], [3]],
    attributes: { epsilon: 0.01 },
    range: [0.2, 1],
  },
  { op: 'BatchNormalization', case: 'evaluation mode, rows', opset: 15, inputs: [[-1, 3], [3], [3], [3], [3]], range: [0.2, 1] },
  { op: 'InstanceNormalization', case: 'images', opset: 17, inputs: [image, ...channels] },
  { op: 'InstanceNormalization', case: 'sequences', opset: 17, inputs: [[-1, 3, 5], ...channels], attributes: { epsilon: 0.1 } },
  { op: 'LayerNormalization', case: 'last axis', opset: 17, inputs: [tokens, [6], [6]] },
  {
    op: 'LayerNormalization',
    case: 'two axes, no shift',
    opset: 17,
    inputs: [tokens, [4, 6]],
    attributes: { axis: 1, epsilon: 0.01 },
  },
  { op: 'LayerNormalization', case: 'the mean', opset: 17, inputs: [tokens, [6], [6]], outputs: 3, output: 1 },
  { op: 'LayerNormalization', case: 'the inverse deviation', opset: 17, inputs: [tokens, [6], [6]], outputs: 3, output: 2 },
  {
    op: 'GroupNormalization',
    case: 'a scale for each group',
    opset: 18,
    inputs: [[-1, 4, 2, 3], [2], [2]],
    attributes: { num_groups: 2 },
  },
  {
    op: 'GroupNormalization',
    case: 'a scale for each channel',
    opset: 21,
    inputs: [[-1, 4, 2, 3], [4], [4]],
    attributes: { num_groups: 2 },
  },
  {
    op: 'SkipLayerNormalization',
    domain: 'com.microsoft',
    case: 'with a bias of the layer',
    opset: 17,
    inputs: [tokens, [-1, 4, 6], [6], [6], [6]],
  },
  {
    op: 'SkipSimplifiedLayerNormalization',
    domain: 'com.microsoft',
    case: 'with a bias of the layer',
    opset: 17,
    inputs: [tokens, [-1, 4, 6], [6], [6]],
  },
  { op: 'SimplifiedLayerNormalization', case: 'last axis', opset: 17, inputs: [tokens, [6]] },
  { op: 'RMSNormalization', case: 'last axis', opset: 23, inputs: [tokens, [6]] },
  { op: 'RMSNormalization', case: 'two axes', opset: 23, inputs: [tokens, [4, 6]], attributes: { axis: -2, epsilon: 0.01 } },
  {
    op: 'LRN',
    case: 'an odd window',
    opset: 13,
    inputs: [[-1, 5, 2, 2]],
    attributes: { size: 3, alpha: 0.5, beta: 0.75, bias: 2 },
  },
  { op: 'MeanVarianceNormalization', case: 'over examples and space', opset: 13, inputs: [image] },
  { op: 'MeanVarianceNormalization', case: 'over space', opset: 13, inputs: [image], attributes: { axes: [2, 3] } },
  { op: 'LpNormalization', case: 'squares', opset: 13, inputs: [tokens], attributes: { p: 2, axis: 1 } },
  { op: 'LpNormalization', case: 'absolute values', opset: 13, inputs: [tokens], attributes: { p: 1 } },
  ...recurrent('LSTM'),
  ...recurrent('GRU'),
  ...recurrent('RNN'),
  {
    op: 'GRU',
    case: 'reset after the product',
    opset: 14,
    inputs: [[TIME, -1, WIDTH], ...weights('GRU', 1)],
    attributes: { hidden_size: HIDDEN, linear_before_reset: 1 },
  },
  {
    op: 'LSTM',
    case: 'peepholes',
    opset: 14,
    inputs: [[TIME, -1, WIDTH], ...weights('LSTM', 1), undefined, undefined, undefined, [1, 3 * HIDDEN]],
    attributes: { hidden_size: HIDDEN },
  },
  {
    op: 'LSTM',
    case: 'opset 7',
    opset: 7,
    inputs: [[TIME, -1, WIDTH], ...weights('LSTM', 1)],
    attributes: { hidden_size: HIDDEN },
  },
  {
    op: 'Attention',
    case: 'heads apart',
    opset: 23,
    inputs: [
      [-1, 2, 4, 3],
      [-1, 2, 5, 3],
      [-1, 2, 5, 2],
    ],
  },
  {
    op: 'Attention',
    case: 'heads side by side',
    opset: 23,
    inputs: [tokens, [-1, 5, 6], [-1, 5, 4]],
    attributes: { q_num_heads: 2, kv_num_heads: 2, scale: 0.3 },
  },
  {
    op: 'Attention',
    case: 'causal, shared keys',
    opset: 23,
    inputs: [
      [-1, 4, 3, 2],
      [-1, 2, 3, 2],
      [-1, 2, 3, 2],
    ],
    attributes: { is_causal: 1 },
  },
  {
    op: 'Attention',
    case: 'a mask of numbers',
    opset: 23,
    inputs: [
      [-1, 2, 4, 3],
      [-1, 2, 5, 3],
      [-1, 2, 5, 2],
      [4, 5],
    ],
  },
  {
    op: 'Attention',
    case: 'a mask of truth values, with a row that sees nothing',
    opset: 23,
    inputs: [[-1, 2, 3, 2], [-1, 2, 3, 2], [-1, 2, 3, 2], { integers: [1, 0, 1, 0, 0, 0, 1, 1, 1], dims: [3, 3], type: 'bool' }],
  },
  {
    op: 'Attention',
    case: 'scores held down',
    opset: 23,
    inputs: [
      [-1, 2, 4, 3],
      [-1, 2, 5, 3],
      [-1, 2, 5, 2],
    ],
    attributes: { softcap: 0.5 },
  },
  {
    op: 'RotaryEmbedding',
    case: 'halves',
    opset: 23,
    inputs: [
      [-1, 2, 4, 6],
      [-1, 4, 3],
      [-1, 4, 3],
    ],
  },
  {
    op: 'RotaryEmbedding',
    case: 'pairs, a part of the width',
    opset: 23,
    inputs: [
      [-1, 2, 4, 6],
      [-1, 4, 2],
      [-1, 4, 2],
    ],
    attributes: { interleaved: 1, rotary_embedding_dim: 4 },
  },
];

describe('operators that are compositions compute what ONNX Runtime computes', () => {
  it.each(operators)('$op - $case', async (operator) => {
    const [mine, expected] = [resultOf(operator), await theirs(operator)];
    expect(mine.shape).toEqual(expected.dims);
    expect(differences(mine.data, expected.data, 2e-6)).toEqual([]);
  });
});
