/** What the ops that pick by whole numbers share. */
import { UnsupportedModel } from '../errors.js';
import type { Dim, Shape, ValueType } from '../graph.js';
import { elements, walk } from '../reference-tensor.js';
import { factorOf, isFree, showShape, stridesOf } from '../shapes.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';

/** As ONNX has it: a negative index counts from the end. */
export function indexWithin(index: number, size: number): number {
  const place = index < 0 ? index + size : index;
  if (Number.isInteger(place) && place >= 0 && place < size) return place;
  throw new UnsupportedModel(`The index ${index} is outside of an axis of ${size}`, {
    value: String(index),
    expected: `an index from ${-size} to ${size - 1}`,
  });
}

export function checkWholeNumbers({ dtype, shape }: ValueType, use: string): void {
  if (dtype === 'int64') return;
  throw new UnsupportedModel(`${use} by ${dtype} ${showShape(shape)}`, { value: dtype, expected: 'whole numbers' });
}

/** Sizes before, along and behind an axis. */
export interface Around {
  readonly before: number;
  readonly size: number;
  readonly behind: number;
}

export const around = (shape: readonly number[], axis: number): Around => ({
  before: elements(shape.slice(0, axis)),
  size: shape[axis] ?? 1,
  behind: elements(shape.slice(axis + 1)),
});

/** tfjs counts from 0 only. */
export const fromZero = (tf: TfjsOps, indices: TfjsTensor, size: number): TfjsTensor =>
  tf.where(tf.less(indices, wholeNumber(tf, 0)), tf.add(indices, wholeNumber(tf, size)), indices);

export const wholeNumber = (tf: TfjsOps, value: number): TfjsTensor => tf.tensor(Int32Array.of(value), [], 'int32');

/** For each element of `indices`, the place in a flattened tensor of shape `shape` that it names along `axis`. */
export function flatPlaces(tf: TfjsOps, indices: TfjsTensor, axis: number, shape: readonly number[]): TfjsTensor {
  const strides = stridesOf(shape);
  const places = fromZero(tf, indices, shape[axis] ?? 1);
  const offsets = offsetsBeside(indices.shape, strides, axis);
  return tf.add(tf.mul(places, wholeNumber(tf, strides[axis] ?? 1)), tf.tensor(offsets, indices.shape, 'int32'));
}

/** The offset of each element of a tensor of shape `shape` in another with these strides, not counting one axis. */
export function offsetsBeside(shape: readonly number[], strides: readonly number[], axis: number): Int32Array {
  return walk(
    shape,
    strides.map((stride, i) => (i === axis ? 0 : stride)),
  );
}

export const replaced = (shape: Shape, axis: number, by: Shape): Shape => [
  ...shape.slice(0, axis),
  ...by,
  ...shape.slice(axis + 1),
];

/** Indices that pick elements may be shorter along the other axes, never longer. */
export function checkBeside(indices: ValueType, shape: Shape, axis: number): void {
  checkWholeNumbers(indices, 'Elements are picked');
  const fits = (dim: Dim, i: number): boolean => {
    const limit = shape[i] ?? 0;
    return i === axis || dim === limit || (!isFree(dim) && dim <= factorOf(limit));
  };
  if (indices.shape.length === shape.length && indices.shape.every(fits)) return;
  throw new UnsupportedModel(`Indices of shape ${showShape(indices.shape)} pick along axis ${axis} of ${showShape(shape)}`, {
    value: showShape(indices.shape),
    expected: `at most ${showShape(shape)} but for axis ${axis}`,
  });
}
