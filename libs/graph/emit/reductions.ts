/** Functions for ops that turn the elements along some axes into one; sums and means are in `emit.ts`. */
import { log, mul, neg, reduceSum, reshape, sqrt } from '../emit.js';
import type { Emit, Value } from '../op.js';
import { reducedShape } from '../ops/reduction.js';
import { abs, equal, where } from './elementwise.js';

const sorted = (axes: readonly number[]): number[] => axes.toSorted((a, b) => a - b);

/** Equal largest elements share the derivative. */
export const reduceMax = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  e.apply('reduceMax', [x], { axes: sorted(axes), keepDims });

export const reduceMin = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  neg(e, reduceMax(e, neg(e, x), axes, keepDims));

export const reduceLogSumExp = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  e.apply('reduceLogSumExp', [x], { axes: sorted(axes), keepDims });

/** The axis stays, with size 1. */
export const reduceProdAlong = (e: Emit, x: Value, axis: number): Value =>
  e.apply('reduceProd', [x], { axes: [axis], keepDims: true });

export const reduceProd = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  reshape(
    e,
    axes.reduce((product, axis) => reduceProdAlong(e, product, axis), x),
    reducedShape(x.shape, { axes, keepDims }),
  );

export const reduceSumSquare = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  reduceSum(e, mul(e, x, x), axes, keepDims);
export const reduceLogSum = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  log(e, reduceSum(e, x, axes, keepDims));
export const reduceL1 = (e: Emit, x: Value, axes: readonly number[], keepDims = false): Value =>
  reduceSum(e, abs(e, x), axes, keepDims);

/** The root of the sum of squares; where all are 0 its derivative is taken as 0, as in PyTorch. */
export function reduceL2(e: Emit, x: Value, axes: readonly number[], keepDims = false): Value {
  const squares = reduceSumSquare(e, x, axes, keepDims);
  const isZero = equal(e, squares, e.scalar(0));
  return where(e, isZero, e.scalar(0), sqrt(e, where(e, isZero, e.scalar(1), squares)));
}

/** The place of the largest element along an axis, the first of equal ones. */
export const argMax = (e: Emit, x: Value, axis: number, keepDims = false): Value => e.apply('argMax', [x], { axis, keepDims });
