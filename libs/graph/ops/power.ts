import { addIfAny, log, mul, sub } from '../emit.js';
import { and, equal, lessOrEqual, power, where } from '../emit/elementwise.js';
import type { Application, Emit, OpDefinition, Value } from '../op.js';
import { at } from '../op.js';
import { binary } from './binary.js';

/** y x^(y−1), and 0 for the exponent 0 even at the base 0. */
function slopeByBase(e: Emit, { inputs }: Application): Value {
  const [x, y] = [at(inputs, 0), at(inputs, 1)];
  return where(e, equal(e, y, e.scalar(0)), e.scalar(0), mul(e, y, power(e, x, sub(e, y, e.scalar(1)))));
}

/** x^y log x, and 0 at the base 0 where the power does not grow without bound. */
function slopeByExponent(e: Emit, { inputs, output }: Application): Value {
  const [x, y] = [at(inputs, 0), at(inputs, 1)];
  const isZero = and(e, equal(e, x, e.scalar(0)), lessOrEqual(e, e.scalar(0), y));
  // The logarithm of 0 is kept out of what is derived again.
  const base = where(e, isZero, e.scalar(1), x);
  return where(e, isZero, e.scalar(0), mul(e, output, log(e, base)));
}

const base = binary({
  name: 'power',
  onnx: 'Pow',
  tfjs: (tf, x, y) => tf.pow(x, y),
  f: (x, y) => (x === 1 ? 1 : x ** y),
  backward: [
    (e, use, cotangent) => mul(e, cotangent, slopeByBase(e, use)),
    (e, use, cotangent) => mul(e, cotangent, slopeByExponent(e, use)),
  ],
  forward: (e, use, [x, y]) => addIfAny(e, x && mul(e, x, slopeByBase(e, use)), y && mul(e, y, slopeByExponent(e, use))),
});

/** A power with an exponent that is a tensor; `pow` has one that is known. Negative bases want whole exponents. */
export const powerOp: OpDefinition = {
  ...base,
  // ONNX `Pow` is read as `pow` or as this: see there.
  onnx: { ...base.onnx, read: {} },
};
