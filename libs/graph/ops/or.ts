import { comparison } from './comparison.js';

export const orOp = comparison({
  name: 'or',
  onnx: 'Or',
  tfjs: (tf, a, b) => tf.logicalOr(a, b),
  commutative: true,
  f: (a, b) => a !== 0 || b !== 0,
});
