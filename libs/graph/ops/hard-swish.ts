import { add, mul, step } from '../emit.js';
import { and, less, where } from '../emit/elementwise.js';
import { unary } from './unary.js';

const BOUND = 3;

/** x clip(x / 6 + 1/2, 0, 1); at the bounds its slope is that of the straight side, as in PyTorch. */
export const hardSwishOp = unary({
  name: 'hardSwish',
  onnx: 'HardSwish',
  tfjs: (tf, x) =>
    tf.div(tf.mul(x, tf.minimum(tf.relu(tf.add(x, tf.scalar(BOUND))), tf.scalar(2 * BOUND))), tf.scalar(2 * BOUND)),
  f: (x) => (x * Math.min(Math.max(x + BOUND, 0), 2 * BOUND)) / (2 * BOUND),
  slope: (e, x) => {
    const isBent = and(e, less(e, e.scalar(-BOUND), x), less(e, x, e.scalar(BOUND)));
    return where(e, isBent, add(e, mul(e, x, e.scalar(1 / BOUND)), e.scalar(0.5)), step(e, x));
  },
});
