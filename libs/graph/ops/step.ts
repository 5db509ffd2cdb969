import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import { withoutExpand } from './patterns.js';

/** 1 where x > 0, else 0: the slope of relu, which is taken as 0 at 0, as the frameworks do. */
export const stepOp: OpDefinition = {
  name: 'step',
  elementwise: true,
  shape: (inputs) => at(inputs, 0).shape,
  simplify: (e, inputs) => withoutExpand(e, 'step', inputs),
  derivative: { piecewiseConstant: 'It jumps at 0 and is constant on both sides.' },
  reference: (inputs) => at(inputs, 0).data.map((x) => (x > 0 ? 1 : 0)),
  tfjs: (tf, inputs) => tf.cast(tf.greater(at(inputs, 0), tf.scalar(0)), 'float32'),
  onnx: {
    write: (writer, node) => {
      const positive = writer.node('Greater', [at(node.inputs, 0), writer.float([], [0])]);
      writer.node('Cast', [positive], { to: { int: 1 } }, node.output);
    },
    read: {},
  },
};
