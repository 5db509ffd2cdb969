/**
 * Arithmetic with numbers and multiples of the number of examples, B ≥ 1. What holds for every B is decided; what does not
 * stay a number or a multiple is `Undecided`.
 */
import type { Dim } from '../../graph.js';
import { factorOf, freeDim, isFree } from '../../shapes.js';

export class Undecided extends Error {
  override readonly name = 'Undecided';

  constructor(expression: string) {
    super(`${expression} depends on the number of examples`);
  }
}

const multiple = (factor: number): Dim => (factor === 0 ? 0 : freeDim(factor));

export function plus(a: Dim, b: Dim): Dim {
  if (!isFree(a) && !isFree(b)) return a + b;
  if (isFree(a) && isFree(b)) return multiple(factorOf(a) + factorOf(b));
  if (a === 0) return b;
  if (b === 0) return a;
  throw new Undecided(`${a} + ${b}`);
}

export function times(a: Dim, b: Dim): Dim {
  if (!isFree(a) && !isFree(b)) return a * b;
  const factor = factorOf(a) * factorOf(b);
  if ((isFree(a) && isFree(b)) || !Number.isFinite(factor)) throw new Undecided(`${a} * ${b}`);
  return multiple(factor);
}

export const minus = (a: Dim): Dim => times(a, -1);

/** Whole numbers are rounded towards 0. */
export function divided(a: Dim, b: Dim, whole: boolean): Dim {
  const quotient = factorOf(a) / factorOf(b);
  if (whole && b === 0) throw new Undecided(`${a} / 0`);
  if (isFree(a) === isFree(b)) return whole ? Math.trunc(quotient) : quotient;
  if (a === 0) return 0;
  if (isFree(a) && Number.isFinite(quotient) && (!whole || Number.isInteger(quotient))) return multiple(quotient);
  if (whole && isFree(b) && Math.abs(quotient) < 1) return 0;
  throw new Undecided(`${a} / ${b}`);
}

/** The remainder has the sign of `a` if truncated, else that of `b`. */
export function remainder(a: Dim, b: Dim, truncated: boolean): Dim {
  if (!isFree(a) && !isFree(b)) {
    const rest = a % b;
    return truncated || rest === 0 || rest < 0 === b < 0 ? rest : rest + b;
  }
  if (isFree(a) && factorOf(a) % factorOf(b) === 0) return 0;
  throw new Undecided(`${a} mod ${b}`);
}

/** Of a multiple: from its value for one example to infinity, either way. */
function bounds(dim: Dim): readonly [number, number] {
  if (!isFree(dim)) return [dim, dim];
  const factor = factorOf(dim);
  return factor > 0 ? [factor, Infinity] : [-Infinity, factor];
}

export function isLess(a: Dim, b: Dim): boolean {
  if (isFree(a) === isFree(b)) return factorOf(a) < factorOf(b);
  const [[lowA, highA], [lowB, highB]] = [bounds(a), bounds(b)];
  if (highA < lowB) return true;
  if (lowA >= highB) return false;
  throw new Undecided(`${a} < ${b}`);
}

export const isAtMost = (a: Dim, b: Dim): boolean => !isLess(b, a);

export function isEqual(a: Dim, b: Dim): boolean {
  if (isFree(a) === isFree(b)) return factorOf(a) === factorOf(b);
  const [[lowA, highA], [lowB, highB]] = [bounds(a), bounds(b)];
  if (highA < lowB || highB < lowA) return false;
  throw new Undecided(`${a} = ${b}`);
}

export function smaller(a: Dim, b: Dim): Dim {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  return decided(
    () => isLess(b, a),
    () => !isLess(a, b),
  )
    ? b
    : a;
}

export function larger(a: Dim, b: Dim): Dim {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  return decided(
    () => isLess(a, b),
    () => !isLess(b, a),
  )
    ? b
    : a;
}

/** Equal numbers may be either; so one of the two questions may be open. */
function decided(first: () => boolean, second: () => boolean): boolean {
  try {
    return first();
  } catch (error) {
    if (!(error instanceof Undecided)) throw error;
    return second();
  }
}

/** A function of a number that must be known. */
export function ofNumber(f: (x: number) => number, name: string): (x: Dim) => number {
  return (x) => {
    if (isFree(x)) throw new Undecided(`${name}(${x})`);
    return f(x);
  };
}

/** Rounding leaves whole multiples as they are. Floats are rounded as the single precision that the model computes in. */
export function rounded(f: (x: number) => number, name: string): (x: Dim) => Dim {
  return (x) => {
    if (!isFree(x)) return f(Math.fround(x));
    if (Number.isInteger(factorOf(x))) return x;
    throw new Undecided(`${name}(${x})`);
  };
}
