import { add, neg, sub } from '../emit.js';
import { binary } from './binary.js';
import { constantNumber, keepsShape, operandOf } from './patterns.js';

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
    return minusB && add(e, a, minusB);
  },
});
