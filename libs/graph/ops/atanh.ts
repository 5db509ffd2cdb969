import { add, div, mul, sub } from '../emit.js';
import { unary } from './unary.js';

// 1 − x² as a product loses nothing near ±1.
export const atanhOp = unary({
  name: 'atanh',
  onnx: 'Atanh',
  tfjs: (tf, x) => tf.atanh(x),
  f: Math.atanh,
  slope: (e, x) => div(e, e.scalar(1), mul(e, sub(e, e.scalar(1), x), add(e, e.scalar(1), x))),
});
