/**
 * Convolutions in tfjs: the library's own where it has one for the case on every backend, and products of matrices with
 * patches elsewhere (groups, three axes, strides together with dilations, and the kernel's gradient, which WASM lacks).
 */
import type { ConvOptions } from '../emit/convolution.js';
import { at } from '../op.js';
import { elements } from '../reference-tensor.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import type { Windows } from './windows.js';

const lastAxes = (rank: number): number[] => Array.from({ length: rank }, (_, axis) => axis + 2);

/** Zeros (or another number) around the spatial axes; a negative pad cuts off. */
function padded(tf: TfjsOps, x: TfjsTensor, pads: readonly number[], value = 0): TfjsTensor {
  const rank = x.shape.length - 2;
  const before = (axis: number): number => (axis < 2 ? 0 : at(pads, axis - 2));
  const behind = (axis: number): number => (axis < 2 ? 0 : at(pads, axis - 2 + rank));
  const cut = x.shape.some((_, axis) => before(axis) < 0 || behind(axis) < 0);
  const inner = cut
    ? tf.slice(
        x,
        x.shape.map((_, axis) => Math.max(0, -before(axis))),
        x.shape.map((size, axis) => size - Math.max(0, -before(axis)) - Math.max(0, -behind(axis))),
      )
    : x;
  if (pads.every((pad) => pad <= 0)) return inner;
  const around = x.shape.map((_, axis): [number, number] => [Math.max(0, before(axis)), Math.max(0, behind(axis))]);
  return tf.pad(inner, around, value);
}

/** What each place of the kernel sees, in order: a tensor [examples, channels, …outputs] for each. */
export function seenInTfjs(
  tf: TfjsOps,
  x: TfjsTensor,
  outputs: readonly number[],
  { kernel, strides, pads, dilations }: Windows,
  padding = 0,
): TfjsTensor[] {
  const wide = padded(tf, x, pads, padding);
  const cut = (starts: readonly number[]): TfjsTensor => {
    const begin = [0, 0, ...starts];
    const sizes = [...wide.shape.slice(0, 2), ...outputs];
    if (strides.every((stride) => stride === 1)) return tf.slice(wide, begin, sizes);
    const end = begin.map((start, axis) =>
      axis < 2 ? at(sizes, axis) : start + (at(sizes, axis) - 1) * at(strides, axis - 2) + 1,
    );
    return tf.stridedSlice(wide, begin, end, [1, 1, ...strides]);
  };
  const places = kernel.reduce<number[][]>(
    (all, size) => all.flatMap((place) => Array.from({ length: size }, (_, k) => [...place, k])),
    [[]],
  );
  return places.map((place) => cut(place.map((k, axis) => k * at(dilations, axis))));
}

/** [examples, groups, channels in a group · places of the kernel, outputs] */
function patches(tf: TfjsOps, x: TfjsTensor, outputs: readonly number[], windows: Windows, groups: number): TfjsTensor {
  const [examples, channels] = [at(x.shape, 0), at(x.shape, 1)];
  const flat = seenInTfjs(tf, x, outputs, windows).map((part) => tf.reshape(part, [examples, channels, 1, elements(outputs)]));
  const joined = flat.length === 1 ? at(flat, 0) : tf.concat(flat, 2);
  return tf.reshape(joined, [examples, groups, (channels / groups) * flat.length, elements(outputs)]);
}

const isPlane = (x: TfjsTensor): boolean => x.shape.length === 4;
const all = (values: readonly number[], value: number): boolean => values.every((each) => each === value);

export function convInTfjs(
  tf: TfjsOps,
  x: TfjsTensor,
  kernel: TfjsTensor,
  options: ConvOptions,
  shape: readonly number[],
): TfjsTensor {
  const { groups, strides, pads, dilations } = options;
  const known = all(strides, 1) || all(dilations, 1);
  if (isPlane(x) && known && groups === 1) {
    const channelsLast = tf.transpose(padded(tf, x, pads), [0, 2, 3, 1]);
    const filter = tf.transpose(kernel, [2, 3, 1, 0]);
    const [down, across] = [
      [at(strides, 0), at(strides, 1)] as [number, number],
      [at(dilations, 0), at(dilations, 1)] as [number, number],
    ];
    return tf.transpose(tf.conv2d(channelsLast, filter, down, 'valid', 'NHWC', across), [0, 3, 1, 2]);
  }
  const outputs = shape.slice(2);
  const seen = patches(tf, x, outputs, { ...options, kernel: kernel.shape.slice(2) }, groups);
  const [examples, results] = [at(shape, 0), at(shape, 1)];
  const matrices = tf.reshape(kernel, [1, groups, results / groups, at(seen.shape, 2)]);
  return tf.reshape(tf.matMul(matrices, seen), [examples, results, ...outputs]);
}

/** Zeros between the elements along the spatial axes. */
function spread(tf: TfjsOps, y: TfjsTensor, strides: readonly number[]): TfjsTensor {
  return strides.reduce((part, stride, i) => {
    if (stride === 1) return part;
    const axis = i + 2;
    const { shape } = part;
    const size = at(shape, axis);
    const apart = tf.reshape(part, [elements(shape.slice(0, axis + 1)), 1, elements(shape.slice(axis + 1))]);
    const wide = tf.pad(apart, [
      [0, 0],
      [0, stride - 1],
      [0, 0],
    ]);
    const joined = tf.reshape(wide, [...shape.slice(0, axis), size * stride, ...shape.slice(axis + 1)]);
    const wanted = [...shape];
    wanted[axis] = (size - 1) * stride + 1;
    return tf.slice(
      joined,
      shape.map(() => 0),
      wanted,
    );
  }, y);
}

/** A convolution of y, spread by the stride, with the kernel turned around. */
export function convInputGradientInTfjs(
  tf: TfjsOps,
  y: TfjsTensor,
  kernel: TfjsTensor,
  { groups, strides, pads, dilations }: ConvOptions,
  shape: readonly number[],
): TfjsTensor {
  const [results, inGroup, ...space] = kernel.shape as [number, number, ...number[]];
  const wide = spread(tf, y, strides);
  const reach = space.map((size, axis) => (size - 1) * at(dilations, axis));
  const before = reach.map((beyond, axis) => beyond - at(pads, axis));
  const behind = reach.map((beyond, axis) => at(shape, axis + 2) + beyond - at(wide.shape, axis + 2) - at(before, axis));
  const apart = tf.reshape(tf.reverse(kernel, lastAxes(space.length)), [groups, results / groups, inGroup, elements(space)]);
  const turned = tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), [groups * inGroup, results / groups, ...space]);
  const options = { groups, dilations, strides: strides.map(() => 1), pads: [...before, ...behind] };
  return convInTfjs(tf, wide, turned, options, shape);
}

export function convWeightGradientInTfjs(
  tf: TfjsOps,
  x: TfjsTensor,
  y: TfjsTensor,
  options: ConvOptions,
  shape: readonly number[],
): TfjsTensor {
  const { groups } = options;
  const outputs = y.shape.slice(2);
  const seen = patches(tf, x, outputs, { ...options, kernel: shape.slice(2) }, groups);
  const cotangents = tf.reshape(y, [at(y.shape, 0), groups, at(shape, 0) / groups, elements(outputs)]);
  return tf.reshape(tf.sum(tf.matMul(cotangents, seen, false, true), [0]), [...shape]);
}
