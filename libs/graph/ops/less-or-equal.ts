import { greaterOrEqual } from '../emit/elementwise.js';
import { comparison } from './comparison.js';

export const lessOrEqualOp = comparison({
  name: 'lessOrEqual',
  onnx: 'LessOrEqual',
  tfjs: (tf, a, b) => tf.lessEqual(a, b),
  f: (a, b) => a <= b,
  read: { GreaterOrEqual: (e, node) => greaterOrEqual(e, node.input(0), node.input(1)) },
});
