import { exp, mul, neg } from '../emit.js';
import { unary } from './unary.js';

const SLOPE_AT_0 = 2 / Math.sqrt(Math.PI);
/** Up to here the series has few terms; from here on the continued fraction has. */
const SERIES_END = 2.5;
const FRACTION_LEVELS = 60;

/** erf x = 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (2n+1)!!, whose terms are all positive (Abramowitz and Stegun 1964, 7.1.6). */
function series(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * Number.EPSILON; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return SLOPE_AT_0 * Math.exp(-x * x) * sum;
}

/** 1 − erf x by its continued fraction, from the inside out (Abramowitz and Stegun 1964, 7.1.14). */
function complement(x: number): number {
  let fraction = x;
  for (let level = FRACTION_LEVELS; level > 0; level--) fraction = x + level / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

export function erfOf(x: number): number {
  if (Number.isNaN(x) || x === 0) return x;
  const size = Math.abs(x);
  return Math.sign(x) * (size < SERIES_END ? series(size) : 1 - complement(size));
}

export const erfOp = unary({
  name: 'erf',
  onnx: 'Erf',
  tfjs: (tf, x) => tf.erf(x),
  f: erfOf,
  slope: (e, x) => mul(e, exp(e, neg(e, mul(e, x, x))), e.scalar(SLOPE_AT_0)),
});
