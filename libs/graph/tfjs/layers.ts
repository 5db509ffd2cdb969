/** What each tfjs layer computes. */
import { add, matmul, mul, relu, reshape, softmax, transpose } from '../emit.js';
import { elu, leakyRelu, prelu, thresholdedRelu } from '../emit/activations.js';
import { clip, max, meanOf, min } from '../emit/elementwise.js';
import { concat, gather } from '../emit/shape.js';
import { UnknownOp } from '../errors.js';
import type { Dim } from '../graph.js';
import { nearest } from '../nearest.js';
import type { Emit, Value } from '../op.js';
import { sizeOf } from '../shapes.js';
import { activated } from './activations.js';
import {
  convolution,
  depthwiseConvolution,
  globalPooling,
  pooling,
  separableConvolution,
  transposedConvolution,
  zeroPadding,
} from './convolution-layers.js';
import { DOMAIN, fixedDim, lastAxis, must, number, only, unsupported, whole, withBias } from './layer-use.js';
import type { LayerUse, Reader } from './layer-use.js';
import { batchNormalization, layerNormalization } from './normalization-layers.js';
import { gru, lstm, simpleRecurrent } from './recurrent-layers.js';

function dense(use: LayerUse): Value {
  const { builder } = use;
  const x = only(use);
  const units = whole(use, 'units');
  const product = matmul(builder, x, use.parameter('kernel', [fixedDim(use, x, lastAxis(x)), units]));
  return activated(use, withBias(use, product, units));
}

function embedding(use: LayerUse): Value {
  must(use, 'mask_zero', [false]);
  const table = use.parameter('embeddings', [whole(use, 'input_dim'), whole(use, 'output_dim')]);
  const ids = only(use);
  if (ids.dtype !== 'int64') throw unsupported(use.layer, 'an input that is computed', 'the ids of the data');
  return gather(use.builder, table, ids, 0);
}

function flatten(use: LayerUse): Value {
  const x = only(use);
  const size = sizeOf(x.shape.slice(1)) ?? Number.NaN;
  return reshape(use.builder, x, ['batch', size]);
}

function reshaped(use: LayerUse): Value {
  const { config } = use.layer;
  const x = only(use);
  const target = config.target_shape ?? [];
  const total = x.shape.slice(1).reduce<number>((product, dim) => product * Number(dim), 1);
  const known = target.reduce<number>((product, dim) => product * (dim !== null && dim > 0 ? dim : 1), 1);
  return reshape(use.builder, x, ['batch', ...target.map((dim): Dim => (dim !== null && dim > 0 ? dim : total / known))]);
}

function permuted(use: LayerUse): Value {
  const x = only(use);
  const dims = use.layer.config['dims'];
  const order: unknown[] = Array.isArray(dims) ? dims : [];
  const axes = x.shape.map((_, axis) => axis).slice(1);
  if (order.toSorted((a, b) => Number(a) - Number(b)).join() !== axes.join())
    throw unsupported(use.layer, `dims ${JSON.stringify(dims)}`, `an order of ${axes.join(', ')}`);
  return transpose(use.builder, x, [0, ...(order as number[])]);
}

/** Of two or more tensors, which broadcast. */
const merged =
  (merge: (e: Emit, a: Value, b: Value) => Value): Reader =>
  ({ builder, layer, inputs }) => {
    const [first, ...rest] = inputs;
    if (first === undefined) throw unsupported(layer, 'no inputs', 'tensors to merge');
    return rest.reduce((total, x) => merge(builder, total, x), first);
  };

const axisOf = (use: LayerUse, x: Value): number => {
  const axis = whole(use, 'axis', -1);
  return axis < 0 ? axis + x.shape.length : axis;
};

function prelued(use: LayerUse): Value {
  const x = only(use);
  must(use, 'shared_axes', []);
  const shape = x.shape.slice(1).map((_, axis) => fixedDim(use, x, axis + 1));
  return prelu(use.builder, x, use.parameter('alpha', shape));
}

/** Nothing random happens when a network is measured. */
const asItIs: Reader = only;

const readers: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['Activation', (use) => activated(use, only(use))],
  ['Add', merged(add)],
  ['AlphaDropout', asItIs],
  ['Average', (use) => meanOf(use.builder, use.inputs)],
  ['AveragePooling1D', pooling(1, 'average')],
  ['AveragePooling2D', pooling(2, 'average')],
  ['BatchNormalization', batchNormalization],
  ['Concatenate', (use) => concat(use.builder, use.inputs, axisOf(use, use.inputs[0] ?? only(use)))],
  ['Conv1D', convolution(1)],
  ['Conv2D', convolution(2)],
  ['Conv2DTranspose', transposedConvolution],
  ['Dense', dense],
  ['DepthwiseConv2D', depthwiseConvolution],
  ['Dropout', asItIs],
  ['ELU', (use) => elu(use.builder, only(use), number(use, 'alpha', 1))],
  ['Embedding', embedding],
  ['Flatten', flatten],
  ['GRU', gru],
  ['GaussianDropout', asItIs],
  ['GaussianNoise', asItIs],
  ['GlobalAveragePooling1D', globalPooling(1, 'average')],
  ['GlobalAveragePooling2D', globalPooling(2, 'average')],
  ['GlobalMaxPooling1D', globalPooling(1, 'max')],
  ['GlobalMaxPooling2D', globalPooling(2, 'max')],
  ['LSTM', lstm],
  ['LayerNormalization', layerNormalization],
  ['LeakyReLU', (use) => leakyRelu(use.builder, only(use), number(use, 'alpha', 0.3))],
  ['MaxPooling1D', pooling(1, 'max')],
  ['MaxPooling2D', pooling(2, 'max')],
  ['Maximum', merged(max)],
  ['Minimum', merged(min)],
  ['Multiply', merged(mul)],
  ['PReLU', prelued],
  ['Permute', permuted],
  [
    'ReLU',
    (use) => {
      const high = use.layer.config.max_value;
      return high == null ? relu(use.builder, only(use)) : clip(use.builder, only(use), { low: 0, high });
    },
  ],
  ['Reshape', reshaped],
  ['SeparableConv2D', separableConvolution],
  ['SimpleRNN', simpleRecurrent],
  ['Softmax', (use) => softmax(use.builder, only(use), axisOf(use, only(use)))],
  ['SpatialDropout1D', asItIs],
  ['ThresholdedReLU', (use) => thresholdedRelu(use.builder, only(use), number(use, 'theta', 1))],
  ['ZeroPadding2D', zeroPadding],
]);

export function readLayer(use: LayerUse): Value {
  const { className, name, config } = use.layer;
  const reader = readers.get(className);
  if (reader === undefined) {
    const known = ['InputLayer', ...readers.keys()].sort();
    throw new UnknownOp({ node: name, op: className, domain: DOMAIN, nearest: nearest(className, known), known });
  }
  // A penalty is part of the loss that is trained; leaving it out would measure another network.
  const penalty = Object.keys(config).find((key) => key.endsWith('_regularizer') && config[key]);
  if (penalty !== undefined) throw unsupported(use.layer, 'a regularizer', 'no regularizer, or weight decay in the optimizer');
  return reader(use);
}
