import { greater } from '../emit/elementwise.js';
import { comparison } from './comparison.js';

export const lessOp = comparison({
  name: 'less',
  onnx: 'Less',
  tfjs: (tf, a, b) => tf.less(a, b),
  f: (a, b) => a < b,
  read: { Greater: (e, node) => greater(e, node.input(0), node.input(1)) },
});
