import { sinh } from '../emit/elementwise.js';
import { unary } from './unary.js';

export const coshOp = unary({
  name: 'cosh',
  onnx: 'Cosh',
  tfjs: (tf, x) => tf.cosh(x),
  f: Math.cosh,
  slope: (e, x) => sinh(e, x),
});
