import { add, div, mul } from '../emit.js';
import { unary } from './unary.js';

export const atanOp = unary({
  name: 'atan',
  onnx: 'Atan',
  tfjs: (tf, x) => tf.atan(x),
  f: Math.atan,
  slope: (e, x) => div(e, e.scalar(1), add(e, e.scalar(1), mul(e, x, x))),
});
