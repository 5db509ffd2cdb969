import { sigmoid } from '../emit.js';
import { unary } from './unary.js';

/** log(1 + eˣ), without overflow for large x and without loss for very negative ones. */
export const softplusOp = unary({
  name: 'softplus',
  onnx: 'Softplus',
  tfjs: (tf, x) => tf.add(tf.relu(x), tf.log1p(tf.exp(tf.neg(tf.abs(x))))),
  f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  slope: (e, x) => sigmoid(e, x),
});
