import { mul, relu, step, sub } from '../emit.js';
import type { OpDefinition } from '../op.js';
import { unary } from './unary.js';

const base = unary({
  name: 'relu',
  onnx: 'Relu',
  tfjs: (tf, x) => tf.relu(x),
  // NaN stays NaN.
  f: (x) => (x < 0 ? 0 : x),
  slope: (e, x) => step(e, x),
});

export const reluOp: OpDefinition = {
  ...base,
  onnx: {
    ...base.onnx,
    read: {
      ...base.onnx.read,
      // x where x > 0, else alpha x
      LeakyRelu: (e, node) => {
        const x = node.input(0);
        const negativePart = relu(e, e.apply('neg', [x]));
        return sub(e, relu(e, x), mul(e, negativePart, e.scalar(node.float('alpha', 0.01))));
      },
    },
  },
};
