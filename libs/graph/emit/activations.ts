/** Activation functions: those that are ops, and those that are made of them. */
import { add, div, mul, sigmoid, sub, tanh } from '../emit.js';
import type { Emit, Value } from '../op.js';
import { abs, clip, erf, less, where } from './elementwise.js';

export const softplus = (e: Emit, x: Value): Value => e.apply('softplus', [x]);
export const leakyRelu = (e: Emit, x: Value, alpha: number): Value => e.apply('leakyRelu', [x], { alpha });
export const elu = (e: Emit, x: Value, alpha = 1): Value => e.apply('elu', [x], { alpha });
export const hardSwish = (e: Emit, x: Value): Value => e.apply('hardSwish', [x]);

/** x σ(alpha x), also called swish. */
export const silu = (e: Emit, x: Value, alpha = 1): Value => mul(e, x, sigmoid(e, mul(e, x, e.scalar(alpha))));
export const mish = (e: Emit, x: Value): Value => mul(e, x, tanh(e, softplus(e, x)));
export const softsign = (e: Emit, x: Value): Value => div(e, x, add(e, abs(e, x), e.scalar(1)));
export const selu = (e: Emit, x: Value, alpha: number, gamma: number): Value => mul(e, elu(e, x, alpha), e.scalar(gamma));
/** Unlike `elu` its slope goes through 0 without a jump. */
export const celu = (e: Emit, x: Value, alpha: number): Value => mul(e, elu(e, mul(e, x, e.scalar(1 / alpha))), e.scalar(alpha));
export const hardSigmoid = (e: Emit, x: Value, alpha: number, beta: number): Value =>
  clip(e, add(e, mul(e, x, e.scalar(alpha)), e.scalar(beta)), { low: 0, high: 1 });

/** x Φ(x). Written so that ONNX Runtime sees one function in it. */
export const gelu = (e: Emit, x: Value): Value =>
  mul(e, mul(e, x, add(e, erf(e, mul(e, x, e.scalar(Math.SQRT1_2))), e.scalar(1))), e.scalar(0.5));

/** Hendrycks and Gimpel (2016): x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))). */
export function geluTanh(e: Emit, x: Value): Value {
  const scale = Math.sqrt(2 / Math.PI);
  const inner = mul(e, x, add(e, mul(e, mul(e, x, x), e.scalar(0.044715 * scale)), e.scalar(scale)));
  return mul(e, mul(e, x, add(e, tanh(e, inner), e.scalar(1))), e.scalar(0.5));
}

/** x where it is larger than alpha, else 0. */
export const thresholdedRelu = (e: Emit, x: Value, alpha: number): Value => where(e, less(e, e.scalar(alpha), x), x, e.scalar(0));
/** x where x > 0, else slope x; the slope is a parameter. */
export const prelu = (e: Emit, x: Value, slope: Value): Value => where(e, less(e, e.scalar(0), x), x, mul(e, x, slope));

/** Towards 0 by `bias` outside of ±lambd, and 0 inside. */
export function shrink(e: Emit, x: Value, lambd: number, bias: number): Value {
  const lower = where(e, less(e, e.scalar(lambd), x), sub(e, x, e.scalar(bias)), e.scalar(0));
  return where(e, less(e, x, e.scalar(-lambd)), add(e, x, e.scalar(bias)), lower);
}
