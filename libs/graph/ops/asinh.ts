import { add, div, mul, sqrt } from '../emit.js';
import { unary } from './unary.js';

export const asinhOp = unary({
  name: 'asinh',
  onnx: 'Asinh',
  tfjs: (tf, x) => tf.asinh(x),
  f: Math.asinh,
  slope: (e, x) => div(e, e.scalar(1), sqrt(e, add(e, e.scalar(1), mul(e, x, x)))),
});
