import { add, div, mul, sqrt, sub } from '../emit.js';
import { unary } from './unary.js';

// 1 − x² as a product loses nothing near ±1.
export const asinOp = unary({
  name: 'asin',
  onnx: 'Asin',
  tfjs: (tf, x) => tf.asin(x),
  f: Math.asin,
  slope: (e, x) => div(e, e.scalar(1), sqrt(e, mul(e, sub(e, e.scalar(1), x), add(e, e.scalar(1), x)))),
});
