import { neg } from '../emit.js';
import { sin } from '../emit/elementwise.js';
import { unary } from './unary.js';

export const cosOp = unary({
  name: 'cos',
  onnx: 'Cos',
  tfjs: (tf, x) => tf.cos(x),
  f: Math.cos,
  slope: (e, x) => neg(e, sin(e, x)),
});
