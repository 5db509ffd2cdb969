import { add, mul } from '../emit.js';
import { unary } from './unary.js';

export const tanOp = unary({
  name: 'tan',
  onnx: 'Tan',
  tfjs: (tf, x) => tf.tan(x),
  f: Math.tan,
  slope: (e, _x, y) => add(e, e.scalar(1), mul(e, y, y)),
});
