import { div } from '../emit.js';
import { unary } from './unary.js';

export const logOp = unary({
  name: 'log',
  onnx: 'Log',
  tfjs: (tf, x) => tf.log(x),
  f: Math.log,
  slope: (e, x) => div(e, e.scalar(1), x),
});
