import { isInf, isNaN, xor } from '../emit/elementwise.js';
import { comparison } from './comparison.js';

export const equalOp = comparison({
  name: 'equal',
  onnx: 'Equal',
  tfjs: (tf, a, b) => tf.equal(a, b),
  commutative: true,
  f: (a, b) => a === b,
  read: {
    Xor: (e, node) => xor(e, node.input(0), node.input(1)),
    IsNaN: (e, node) => isNaN(e, node.input(0)),
    IsInf: (e, node) =>
      isInf(e, node.input(0), {
        negative: node.int('detect_negative', 1) === 1,
        positive: node.int('detect_positive', 1) === 1,
      }),
  },
});
