/** Functions for elementwise ops and what is made of them, broadcasting as NumPy does. */
import { add, div, mul, neg } from '../emit.js';
import type { DType } from '../graph.js';
import type { Emit, Value } from '../op.js';
import { numberLike } from '../ops/dtypes.js';

export const abs = (e: Emit, x: Value): Value => e.apply('abs', [x]);
export const sign = (e: Emit, x: Value): Value => e.apply('sign', [x]);
export const floor = (e: Emit, x: Value): Value => e.apply('floor', [x]);
export const ceil = (e: Emit, x: Value): Value => neg(e, floor(e, neg(e, x)));
/** Halves go to the even neighbour. */
export const round = (e: Emit, x: Value): Value => e.apply('round', [x]);
export const erf = (e: Emit, x: Value): Value => e.apply('erf', [x]);
export const sin = (e: Emit, x: Value): Value => e.apply('sin', [x]);
export const cos = (e: Emit, x: Value): Value => e.apply('cos', [x]);
export const sinh = (e: Emit, x: Value): Value => e.apply('sinh', [x]);
export const cosh = (e: Emit, x: Value): Value => e.apply('cosh', [x]);

/** At a tie each gets half of the derivative. */
export const max = (e: Emit, a: Value, b: Value): Value => e.apply('max', [a, b]);
export const min = (e: Emit, a: Value, b: Value): Value => e.apply('min', [a, b]);
/** With an exponent that is a tensor. */
export const power = (e: Emit, base: Value, exponent: Value): Value => e.apply('power', [base, exponent]);

/** What remains of a division that is rounded towards 0. */
export const fmod = (e: Emit, a: Value, b: Value): Value => e.apply('fmod', [a, b]);

/** What remains of a division that is rounded down; it has the sign of the divisor. */
export function floorMod(e: Emit, a: Value, b: Value): Value {
  const rest = fmod(e, a, b);
  const zero = numberLike(e, a, 0);
  const isAcross = and(e, not(e, equal(e, rest, zero)), xor(e, less(e, rest, zero), less(e, b, zero)));
  return where(e, isAcross, add(e, rest, b), rest);
}

export const less = (e: Emit, a: Value, b: Value): Value => e.apply('less', [a, b]);
export const lessOrEqual = (e: Emit, a: Value, b: Value): Value => e.apply('lessOrEqual', [a, b]);
export const greater = (e: Emit, a: Value, b: Value): Value => less(e, b, a);
export const greaterOrEqual = (e: Emit, a: Value, b: Value): Value => lessOrEqual(e, b, a);
export const equal = (e: Emit, a: Value, b: Value): Value => e.apply('equal', [a, b]);
export const not = (e: Emit, x: Value): Value => e.apply('not', [x]);
export const and = (e: Emit, a: Value, b: Value): Value => e.apply('and', [a, b]);
export const or = (e: Emit, a: Value, b: Value): Value => e.apply('or', [a, b]);
export const xor = (e: Emit, a: Value, b: Value): Value => not(e, equal(e, a, b));
/** Nothing but NaN differs from itself. */
export const isNaN = (e: Emit, x: Value): Value => not(e, equal(e, x, x));

export function isInf(e: Emit, x: Value, { negative = true, positive = true } = {}): Value {
  if (negative && positive) return equal(e, abs(e, x), e.scalar(Infinity));
  if (!negative && !positive) return and(e, equal(e, x, e.scalar(Infinity)), equal(e, x, e.scalar(-Infinity)));
  return equal(e, x, e.scalar(positive ? Infinity : -Infinity));
}

/** Chooses between `a` where the condition holds and `b`; what is not chosen plays no part, in derivatives neither. */
export const where = (e: Emit, condition: Value, a: Value, b: Value): Value => e.apply('where', [condition, a, b]);
export const cast = (e: Emit, x: Value, to: DType): Value => e.apply('cast', [x], { to });
/** Rounded towards 0. */
export const trunc = (e: Emit, x: Value): Value => where(e, less(e, x, e.scalar(0)), ceil(e, x), floor(e, x));
export const reciprocal = (e: Emit, x: Value): Value => div(e, e.scalar(1), x);

export interface ClipBounds {
  readonly low?: number;
  readonly high?: number;
}

/** Largest number of single precision, about: further out is no bound. */
const HUGE = 3.4e38;

export function clip(e: Emit, x: Value, { low = -Infinity, high = Infinity }: ClipBounds): Value {
  const bounds = { ...(low > -HUGE && { low }), ...(high < HUGE && { high }) };
  return Object.keys(bounds).length === 0 ? x : e.apply('clip', [x], bounds);
}

/** Of all of them, in order. */
export const sumOf = (e: Emit, values: readonly Value[]): Value => values.reduce((a, b) => add(e, a, b));
export const meanOf = (e: Emit, values: readonly Value[]): Value => mul(e, sumOf(e, values), e.scalar(1 / values.length));
