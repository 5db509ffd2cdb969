import { cosh } from '../emit/elementwise.js';
import { unary } from './unary.js';

export const sinhOp = unary({
  name: 'sinh',
  onnx: 'Sinh',
  tfjs: (tf, x) => tf.sinh(x),
  f: Math.sinh,
  slope: (e, x) => cosh(e, x),
});
