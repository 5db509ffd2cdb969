import { add, div, mul, sqrt, sub } from '../emit.js';
import { unary } from './unary.js';

// x² − 1 as a product loses nothing near 1.
export const acoshOp = unary({
  name: 'acosh',
  onnx: 'Acosh',
  tfjs: (tf, x) => tf.acosh(x),
  f: Math.acosh,
  slope: (e, x) => div(e, e.scalar(1), sqrt(e, mul(e, sub(e, x, e.scalar(1)), add(e, x, e.scalar(1))))),
});
