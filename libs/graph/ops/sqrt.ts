import { div } from '../emit.js';
import { unary } from './unary.js';

export const sqrtOp = unary({
  name: 'sqrt',
  onnx: 'Sqrt',
  tfjs: (tf, x) => tf.sqrt(x),
  f: Math.sqrt,
  slope: (e, _x, y) => div(e, e.scalar(0.5), y),
});
