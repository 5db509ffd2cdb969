import { less } from '../emit/elementwise.js';
import { unary } from './unary.js';

/** At 0 the slope is taken as 0, as the frameworks do. */
export const reluOp = unary({
  name: 'relu',
  onnx: 'Relu',
  tfjs: (tf, x) => tf.relu(x),
  // NaN stays NaN.
  f: (x) => (x < 0 ? 0 : x),
  passes: (e, x) => less(e, e.scalar(0), x),
});
