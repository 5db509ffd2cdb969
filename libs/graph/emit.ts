/** One function for each op, so that rules read like formulas. Every op of the registry broadcasts as NumPy does. */
import type { Shape } from './graph.js';
import type { Emit, Value } from './op.js';
import { fixedSize, freeAxes, sameShape } from './shapes.js';

export const add = (e: Emit, a: Value, b: Value): Value => e.apply('add', [a, b]);
export const sub = (e: Emit, a: Value, b: Value): Value => e.apply('sub', [a, b]);
export const mul = (e: Emit, a: Value, b: Value): Value => e.apply('mul', [a, b]);
/** Whole numbers are divided as whole numbers, rounded towards 0. */
export const div = (e: Emit, a: Value, b: Value): Value => e.apply(a.dtype === 'int64' ? 'quotient' : 'div', [a, b]);
export const neg = (e: Emit, x: Value): Value => e.apply('neg', [x]);
export const exp = (e: Emit, x: Value): Value => e.apply('exp', [x]);
export const log = (e: Emit, x: Value): Value => e.apply('log', [x]);
export const sqrt = (e: Emit, x: Value): Value => e.apply('sqrt', [x]);
export const tanh = (e: Emit, x: Value): Value => e.apply('tanh', [x]);
export const sigmoid = (e: Emit, x: Value): Value => e.apply('sigmoid', [x]);
export const relu = (e: Emit, x: Value): Value => e.apply('relu', [x]);
export const step = (e: Emit, x: Value): Value => e.apply('step', [x]);
export const pow = (e: Emit, x: Value, exponent: number): Value => e.apply('pow', [x], { exponent });
export const softmax = (e: Emit, x: Value, axis: number): Value => e.apply('softmax', [x], { axis });
export const logSoftmax = (e: Emit, x: Value, axis: number): Value => e.apply('logSoftmax', [x], { axis });
export const transpose = (e: Emit, x: Value, permutation: readonly number[]): Value => e.apply('transpose', [x], { permutation });
export const reshape = (e: Emit, x: Value, shape: Shape): Value => e.apply('reshape', [x], { shape });
export const expand = (e: Emit, x: Value, shape: Shape): Value => e.apply('expand', [x], { shape });
/** The number of examples in the chunk, as a float. */
export const batchSize = (e: Emit): Value => e.apply('batchSize', []);

export interface MatmulOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
}

/** Of the last two axes; a flag swaps those of one operand first. */
export const matmul = (e: Emit, a: Value, b: Value, { transA = false, transB = false }: MatmulOptions = {}): Value =>
  e.apply('matmul', [a, b], { transA, transB });

export const reduceSum = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  e.apply('reduceSum', [x], { axes: [...axes].sort((a, b) => a - b), keepDims });

/** How many elements lie along these axes, as a value because one axis may be free. */
export function countAlong(e: Emit, x: Value, axes: readonly number[]): Value {
  const along = axes.map((axis) => x.shape[axis] ?? 1);
  const fixed = e.scalar(fixedSize(along));
  return freeAxes(along) > 0 ? mul(e, batchSize(e), fixed) : fixed;
}

export const reduceMean = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  div(e, reduceSum(e, x, axes, keepDims), countAlong(e, x, axes));

/** Undoes broadcasting: adds up what was stretched, so that the result has this shape. */
export function sumTo(e: Emit, x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const skipped = x.shape.length - shape.length;
  const axes = x.shape.flatMap((dim, axis) => (axis < skipped || (shape[axis - skipped] === 1 && dim !== 1) ? [axis] : []));
  return reshape(e, reduceSum(e, x, axes), shape);
}

/** Sum of two where either may be the zero that nobody computes. */
export function addIfAny(e: Emit, a: Value | undefined, b: Value | undefined): Value | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : add(e, a, b);
}
