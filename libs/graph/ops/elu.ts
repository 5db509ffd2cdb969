import { add } from '../emit.js';
import { less, where } from '../emit/elementwise.js';
import { numberAttribute } from '../op.js';
import { unary } from './unary.js';

/** x where x > 0, else alpha (eˣ − 1); at 0 the slope is alpha, as in PyTorch. */
export const eluOp = unary({
  name: 'elu',
  onnx: 'Elu',
  parameters: { alpha: 1 },
  tfjs: (tf, x, attributes) => {
    const negative = tf.mul(tf.expm1(tf.minimum(x, tf.scalar(0))), tf.scalar(numberAttribute(attributes, 'alpha')));
    return tf.where(tf.greater(x, tf.scalar(0)), x, negative);
  },
  f: (x, attributes) => (x > 0 ? x : numberAttribute(attributes, 'alpha') * Math.expm1(x)),
  // alpha eˣ = y + alpha, which cannot overflow where it is not chosen.
  slope: (e, x, y, attributes) =>
    where(e, less(e, e.scalar(0), x), e.scalar(1), add(e, y, e.scalar(numberAttribute(attributes, 'alpha')))),
});
