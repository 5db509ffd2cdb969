import { add, mul, neg, sub } from '../emit.js';
import { binary } from './binary.js';
import { constantNumber, keepsShape, multipleOf, operandOf } from './patterns.js';

export const subOp = binary({
  name: 'sub',
  onnx: 'Sub',
  tfjs: (tf, a, b) => tf.sub(a, b),
  f: (a, b) => a - b,
  backward: [(_e, _use, cotangent) => cotangent, (e, _use, cotangent) => neg(e, cotangent)],
  forward: (e, _use, [a, b]) => {
    if (b === undefined) return a;
    return a === undefined ? neg(e, b) : sub(e, a, b);
  },
  simplify: (e, a, b) => {
    if (constantNumber(b) === 0 && keepsShape(a, b)) return a;
    if (constantNumber(a) === 0 && keepsShape(b, a)) return neg(e, b);
    const minusB = operandOf(b, 'neg');
    if (minusB !== undefined) return add(e, a, minusB);
    // So that a multiple is the same value wherever it comes with a sign.
    const multiple = b.dtype === 'float32' ? multipleOf(b) : undefined;
    if (multiple === undefined || !(multiple.factor < 0)) return undefined;
    return add(e, a, mul(e, multiple.rest, e.scalar(-multiple.factor)));
  },
});
