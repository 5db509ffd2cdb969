/** Tensors [examples, channels, …space] that are held as […space, examples, channels]. */
import { matmul, reshape, transpose } from '../emit.js';
import type { Dim, Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';
import { at } from '../op.js';
import { fixedSize, mergedDim } from '../shapes.js';
import { isIdentity } from './along-axis.js';
import { times } from './toom-cook.js';
import type { Matrix } from './toom-cook.js';

/**
 * Examples and channels lie together behind space, so that whatever is linear along a spatial axis is one product with a
 * matrix. Such products wait: two of them along one axis become one.
 */
export interface Held {
  /** […space, examples, channels] */
  readonly value: Value;
  /** For each spatial axis, what it is to be multiplied with. */
  readonly waiting: readonly (Matrix | undefined)[];
}

export const heldAs = (value: Value): Held => ({ value, waiting: value.shape.slice(2).map(() => undefined) });

/** Spatial axes come first, in their order. */
const inFront = (rank: number): number[] => Array.from({ length: rank }, (_, i) => (i + 2) % rank);
const behind = (rank: number): number[] => Array.from({ length: rank }, (_, i) => (i + rank - 2) % rank);

export const toFront = (e: Emit, x: Value): Value => transpose(e, x, inFront(x.shape.length));

/** Back to [examples, channels, …space]. */
export function toBack(e: Emit, x: Value): Value {
  const rank = x.shape.length;
  const order = behind(rank);
  const moved = order.map((axis) => at(x.shape, axis));
  // Where space has one place only, nothing moves.
  return fixedSize(x.shape.slice(0, -2)) === 1 ? reshape(e, x, moved) : transpose(e, x, order);
}

export const sizesOf = ({ value, waiting }: Held): number[] =>
  waiting.map((matrix, axis) => matrix?.rows ?? Number(value.shape[axis]));

export const queued = (held: Held, axis: number, matrix: Matrix): Held => ({
  ...held,
  waiting: held.waiting.map((before, i) => (i === axis ? (before === undefined ? matrix : times(matrix, before)) : before)),
});

const merged = (dims: Shape): Dim => {
  const dim = mergedDim(dims);
  if (dim === undefined) throw new Error('Two free axes cannot be one');
  return dim;
};

/** The matrix times x along one spatial axis. */
export function along(e: Emit, x: Value, axis: number, { rows, columns, data }: Matrix): Value {
  const before = fixedSize(x.shape.slice(0, axis));
  const after = merged(x.shape.slice(axis + 1));
  const flat = reshape(e, x, before === 1 ? [columns, after] : [before, columns, after]);
  const product = matmul(e, e.constant([rows, columns], data), flat);
  return reshape(e, product, [...x.shape.slice(0, axis), rows, ...x.shape.slice(axis + 1)]);
}

/** Does what waits, first axis first: later ones then see what earlier ones made of it. */
export function settled(e: Emit, { value, waiting }: Held): Value {
  return waiting.reduce<Value>(
    (x, matrix, axis) => (matrix === undefined || isIdentity(matrix) ? x : along(e, x, axis, matrix)),
    value,
  );
}
