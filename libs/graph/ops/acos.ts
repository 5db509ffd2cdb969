import { add, div, mul, sqrt, sub } from '../emit.js';
import { unary } from './unary.js';

// 1 − x² as a product loses nothing near ±1.
export const acosOp = unary({
  name: 'acos',
  onnx: 'Acos',
  tfjs: (tf, x) => tf.acos(x),
  f: Math.acos,
  slope: (e, x) => div(e, e.scalar(-1), sqrt(e, mul(e, sub(e, e.scalar(1), x), add(e, e.scalar(1), x)))),
});
