import { mul, sub } from '../emit.js';
import { unary } from './unary.js';

export const sigmoidOp = unary({
  name: 'sigmoid',
  onnx: 'Sigmoid',
  tfjs: (tf, x) => tf.sigmoid(x),
  f: (x) => 1 / (1 + Math.exp(-x)),
  slope: (e, _x, y) => mul(e, y, sub(e, e.scalar(1), y)),
});
