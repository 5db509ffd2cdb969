import { logSoftmax, mul, reduceSum, softmax, sub } from '../emit.js';
import { at, numberAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { alongAxis } from './along-axis.js';
import { softmaxAxis } from './softmax.js';

export const logSoftmaxOp: OpDefinition = {
  name: 'logSoftmax',
  shape: (inputs) => at(inputs, 0).shape,
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => {
      const axis = numberAttribute(attributes, 'axis');
      return [sub(e, cotangent, mul(e, softmax(e, at(inputs, 0), axis), reduceSum(e, cotangent, [axis], true)))];
    },
    jvp: (e, { inputs, attributes }, [tangent]) => {
      const axis = numberAttribute(attributes, 'axis');
      return tangent && sub(e, tangent, reduceSum(e, mul(e, softmax(e, at(inputs, 0), axis), tangent), [axis], true));
    },
  },
  reference: (inputs, attributes) =>
    alongAxis(at(inputs, 0), numberAttribute(attributes, 'axis'), (row) => {
      const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const logTotal = top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0));
      return row.map((x) => x - logTotal);
    }),
  tfjs: (tf, inputs, attributes) => {
    const x = at(inputs, 0);
    const axis = numberAttribute(attributes, 'axis');
    const centred = tf.sub(x, tf.max(x, [axis], true));
    return tf.sub(centred, tf.log(tf.sum(tf.exp(centred), [axis], true)));
  },
  onnx: {
    write: (writer, node) =>
      void writer.node('LogSoftmax', node.inputs, { axis: { int: numberAttribute(node.attributes, 'axis') } }, node.output),
    read: { LogSoftmax: (e, node) => logSoftmax(e, node.input(0), softmaxAxis(node)) },
  },
};
