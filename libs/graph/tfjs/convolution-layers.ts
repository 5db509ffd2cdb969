/** Convolutions and poolings. tfjs has the channels last, and its kernels as [...space, in, out]. */
import { add, div, reduceMean, reshape, transpose } from '../emit.js';
import { averagePool, conv, convInputGradient, maxPool } from '../emit/convolution.js';
import { reduceMax } from '../emit/reductions.js';
import { filled, unslice } from '../emit/shape.js';
import type { Value } from '../op.js';
import { activated } from './activations.js';
import { fixedDim, flag, lastAxis, must, only, unsupported, whole, wholes } from './layer-use.js';
import type { LayerUse, Reader } from './layer-use.js';

interface Place {
  readonly x: Value;
  /** Sizes of the axes between examples and channels. */
  readonly space: readonly number[];
  readonly channels: number;
}

function placeOf(use: LayerUse, axes: number): Place {
  must(use, 'data_format', ['channels_last', 'channelsLast']);
  const x = only(use);
  if (x.shape.length !== axes + 2) throw unsupported(use.layer, `an input of ${x.shape.length} axes`, `${axes + 2} axes`);
  const space = Array.from({ length: axes }, (_, axis) => fixedDim(use, x, axis + 1));
  return { x, space, channels: fixedDim(use, x, axes + 1) };
}

const spaceAxes = (axes: number): number[] => Array.from({ length: axes }, (_, axis) => axis + 1);
const channelsFirst = (use: LayerUse, x: Value): Value =>
  transpose(use.builder, x, [0, lastAxis(x), ...spaceAxes(x.shape.length - 2)]);
const channelsLast = (use: LayerUse, x: Value): Value =>
  transpose(use.builder, x, [0, ...spaceAxes(x.shape.length - 2).map((axis) => axis + 1), 1]);
/** [...space, a, b] to [b, a, ...space] */
const kernelFirst = (use: LayerUse, kernel: Value): Value => {
  const axes = kernel.shape.length - 2;
  return transpose(use.builder, kernel, [axes + 1, axes, ...Array.from({ length: axes }, (_, axis) => axis)]);
};

interface Steps {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** TensorFlow's rule: `same` gives ⌈size / stride⌉ and pads more behind than in front. */
function padsOf(use: LayerUse, space: readonly number[], { kernel, strides, dilations }: Steps): number[] {
  must(use, 'padding', ['valid', 'same']);
  const { padding } = use.layer.config;
  const pads = space.map((size, axis) => {
    const [stride, reach] = [strides[axis] ?? 1, ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1];
    if (padding !== 'same') return [0, 0] as const;
    const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + reach - size);
    return [Math.floor(total / 2), Math.ceil(total / 2)] as const;
  });
  return [...pads.map(([front]) => front), ...pads.map(([, behind]) => behind)];
}

const stepsOf = (use: LayerUse, axes: number): Steps => ({
  kernel: wholes(use, 'kernel_size', axes, 1),
  strides: wholes(use, 'strides', axes, 1),
  dilations: wholes(use, 'dilation_rate', axes, 1),
});

const biased = (use: LayerUse, x: Value, channels: number): Value =>
  flag(use, 'use_bias', true) ? add(use.builder, x, use.parameter('bias', [channels])) : x;

export const convolution =
  (axes: number): Reader =>
  (use) => {
    must(use, 'groups', [1]);
    const { x, space, channels } = placeOf(use, axes);
    const [steps, filters] = [stepsOf(use, axes), whole(use, 'filters')];
    const kernel = kernelFirst(use, use.parameter('kernel', [...steps.kernel, channels, filters]));
    const y = conv(use.builder, channelsFirst(use, x), kernel, { ...steps, pads: padsOf(use, space, steps), groups: 1 });
    return activated(use, biased(use, channelsLast(use, y), filters));
  };

/** Each channel by itself, `multiplier` results of each. */
function depthwise(use: LayerUse): { readonly y: Value; readonly channels: number } {
  const { x, space, channels } = placeOf(use, 2);
  const [steps, multiplier] = [stepsOf(use, 2), whole(use, 'depth_multiplier', 1)];
  const given = use.parameter('depthwise_kernel', [...steps.kernel, channels, multiplier]);
  const kernel = reshape(use.builder, transpose(use.builder, given, [2, 3, 0, 1]), [channels * multiplier, 1, ...steps.kernel]);
  const pads = padsOf(use, space, steps);
  return {
    y: conv(use.builder, channelsFirst(use, x), kernel, { ...steps, pads, groups: channels }),
    channels: channels * multiplier,
  };
}

export const depthwiseConvolution: Reader = (use) => {
  const { y, channels } = depthwise(use);
  return activated(use, biased(use, channelsLast(use, y), channels));
};

export const separableConvolution: Reader = (use) => {
  const { y, channels } = depthwise(use);
  const filters = whole(use, 'filters');
  const kernel = kernelFirst(use, use.parameter('pointwise_kernel', [1, 1, channels, filters]));
  const mixed = conv(use.builder, y, kernel, { strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0], groups: 1 });
  return activated(use, biased(use, channelsLast(use, mixed), filters));
};

export const transposedConvolution: Reader = (use) => {
  const { x, space, channels } = placeOf(use, 2);
  const steps = stepsOf(use, 2);
  must(use, 'output_padding', []);
  const filters = whole(use, 'filters');
  const size = space.map((each, axis) => {
    const [stride, kernel] = [steps.strides[axis] ?? 1, steps.kernel[axis] ?? 1];
    return each * stride + (use.layer.config['padding'] === 'same' ? 0 : Math.max(kernel - stride, 0));
  });
  const kernel = kernelFirst(use, use.parameter('kernel', [...steps.kernel, filters, channels]));
  const pads = padsOf(use, size, steps);
  const y = convInputGradient(use.builder, channelsFirst(use, x), kernel, size, { ...steps, pads, groups: 1 });
  return activated(use, biased(use, channelsLast(use, y), filters));
};

export const pooling =
  (axes: number, kind: 'max' | 'average'): Reader =>
  (use) => {
    const { x, space } = placeOf(use, axes);
    const kernel = wholes(use, 'pool_size', axes, 2);
    const strides = use.layer.config['strides'] == null ? kernel : wholes(use, 'strides', axes, 2);
    const steps = { kernel, strides, dilations: kernel.map(() => 1) };
    const windows = { ...steps, pads: padsOf(use, space, steps) };
    const first = channelsFirst(use, x);
    if (kind === 'max') return channelsLast(use, maxPool(use.builder, first, windows));
    const sums = averagePool(use.builder, first, windows);
    // TensorFlow's average counts no padding.
    const share = averagePool(use.builder, filled(use.builder, [1, 1, ...space], 1), windows);
    return channelsLast(use, windows.pads.some((pad) => pad > 0) ? div(use.builder, sums, share) : sums);
  };

export const globalPooling =
  (axes: number, kind: 'max' | 'average'): Reader =>
  (use) => {
    const { x } = placeOf(use, axes);
    return kind === 'max' ? reduceMax(use.builder, x, spaceAxes(axes)) : reduceMean(use.builder, x, spaceAxes(axes));
  };

export const zeroPadding: Reader = (use) => {
  const { x, space, channels } = placeOf(use, 2);
  const pads = use.layer.config['padding'] as readonly (readonly [number, number])[] | undefined;
  const fits = Array.isArray(pads) && pads.length === 2 && pads.flat().every((pad) => Number.isSafeInteger(pad) && pad >= 0);
  if (!fits || pads === undefined) throw unsupported(use.layer, `padding ${JSON.stringify(pads)}`, 'two pairs of whole numbers');
  const sizes = space.map((size, axis) => size + (pads[axis]?.[0] ?? 0) + (pads[axis]?.[1] ?? 0));
  const starts = [0, ...pads.map(([front]) => front), 0];
  return unslice(use.builder, x, [x.shape[0] ?? 'batch', ...sizes, channels], { starts, steps: [1, 1, 1, 1] });
};
