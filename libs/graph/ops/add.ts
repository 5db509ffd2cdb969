import { addIfAny, mul, sub } from '../emit.js';
import { binary } from './binary.js';
import { numberLike } from './dtypes.js';
import { joined } from './joined.js';
import { constantNumber, keepsShape, operandOf } from './patterns.js';

export const addOp = binary({
  name: 'add',
  onnx: 'Add',
  tfjs: (tf, a, b) => tf.add(a, b),
  commutative: true,
  f: (a, b) => a + b,
  backward: [(_e, _use, cotangent) => cotangent, (_e, _use, cotangent) => cotangent],
  forward: (e, _use, [a, b]) => addIfAny(e, a, b),
  simplify: (e, a, b) => {
    if (a === b) return mul(e, a, numberLike(e, a, 2));
    if (constantNumber(b) === 0 && keepsShape(a, b)) return a;
    if (constantNumber(a) === 0 && keepsShape(b, a)) return b;
    const [minusA, minusB] = [operandOf(a, 'neg'), operandOf(b, 'neg')];
    if (minusB !== undefined) return sub(e, a, minusB);
    return minusA === undefined ? joined(e, a, b) : sub(e, b, minusA);
  },
});
