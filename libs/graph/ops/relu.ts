import { step } from '../emit.js';
import { unary } from './unary.js';

export const reluOp = unary({
  name: 'relu',
  onnx: 'Relu',
  tfjs: (tf, x) => tf.relu(x),
  // NaN stays NaN.
  f: (x) => (x < 0 ? 0 : x),
  slope: (e, x) => step(e, x),
});
