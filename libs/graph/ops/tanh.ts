import { mul, sub } from '../emit.js';
import { unary } from './unary.js';

export const tanhOp = unary({
  name: 'tanh',
  onnx: 'Tanh',
  tfjs: (tf, x) => tf.tanh(x),
  f: Math.tanh,
  slope: (e, _x, y) => sub(e, e.scalar(1), mul(e, y, y)),
});
