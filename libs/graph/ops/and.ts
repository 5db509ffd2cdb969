import { comparison } from './comparison.js';

export const andOp = comparison({
  name: 'and',
  onnx: 'And',
  tfjs: (tf, a, b) => tf.logicalAnd(a, b),
  commutative: true,
  f: (a, b) => a !== 0 && b !== 0,
});
