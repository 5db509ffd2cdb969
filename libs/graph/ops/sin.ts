import { cos } from '../emit/elementwise.js';
import { unary } from './unary.js';

export const sinOp = unary({
  name: 'sin',
  onnx: 'Sin',
  tfjs: (tf, x) => tf.sin(x),
  f: Math.sin,
  slope: (e, x) => cos(e, x),
});
