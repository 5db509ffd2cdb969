import { addIfAny, mul, neg } from '../emit.js';
import { at } from '../op.js';
import type { Emit, Value } from '../op.js';
import { binary } from './binary.js';
import { numberLike } from './dtypes.js';
import { constantNumber, keepsShape, multipleOf, operandOf } from './patterns.js';

/** x times a number that is known. */
function scaled(e: Emit, x: Value, constant: Value, factor: number): Value | undefined {
  if (!keepsShape(x, constant)) return undefined;
  if (factor === 1) return x;
  if (factor === -1) return neg(e, x);
  const minus = operandOf(x, 'neg');
  if (minus !== undefined) return mul(e, minus, numberLike(e, x, -factor));
  const multiple = multipleOf(x);
  return multiple && mul(e, multiple.rest, numberLike(e, x, multiple.factor * factor));
}

export const mulOp = binary({
  name: 'mul',
  onnx: 'Mul',
  tfjs: (tf, a, b) => tf.mul(a, b),
  commutative: true,
  f: (a, b) => a * b,
  backward: [
    (e, { inputs }, cotangent) => mul(e, cotangent, at(inputs, 1)),
    (e, { inputs }, cotangent) => mul(e, cotangent, at(inputs, 0)),
  ],
  forward: (e, { inputs }, [a, b]) => addIfAny(e, a && mul(e, a, at(inputs, 1)), b && mul(e, at(inputs, 0), b)),
  simplify: (e, a, b) => {
    const [numberA, numberB] = [constantNumber(a), constantNumber(b)];
    if (numberB !== undefined && numberA === undefined) return scaled(e, a, b, numberB);
    if (numberA !== undefined && numberB === undefined) return scaled(e, b, a, numberA);
    const [minusA, minusB] = [operandOf(a, 'neg'), operandOf(b, 'neg')];
    return minusA && minusB && mul(e, minusA, minusB);
  },
});
