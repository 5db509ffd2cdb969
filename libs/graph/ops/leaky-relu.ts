import { less, where } from '../emit/elementwise.js';
import { numberAttribute } from '../op.js';
import { unary } from './unary.js';

/** x where x > 0, else alpha x; at 0 the slope is alpha, as in PyTorch. */
export const leakyReluOp = unary({
  name: 'leakyRelu',
  onnx: 'LeakyRelu',
  parameters: { alpha: 0.01 },
  tfjs: (tf, x, attributes) => tf.leakyRelu(x, numberAttribute(attributes, 'alpha')),
  f: (x, attributes) => (x > 0 ? x : x * numberAttribute(attributes, 'alpha')),
  slope: (e, x, _y, attributes) => where(e, less(e, e.scalar(0), x), e.scalar(1), e.scalar(numberAttribute(attributes, 'alpha'))),
});
