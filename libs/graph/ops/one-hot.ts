import { at, numberAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { elements } from '../reference-tensor.js';
import { checkWholeNumbers, fromZero } from './indices.js';

/** A new last axis with a 1 at each index, which counts from the end when it is negative. An index outside gives zeros. */
export const oneHotOp: OpDefinition = {
  name: 'oneHot',
  shape: (inputs, attributes) => {
    checkWholeNumbers(at(inputs, 0), 'One-hot rows');
    return [...at(inputs, 0).shape, numberAttribute(attributes, 'depth')];
  },
  derivative: { piecewiseConstant: 'It depends on whole numbers only, through which nothing is derived.' },
  reference: (inputs, attributes, shape) => {
    const depth = numberAttribute(attributes, 'depth');
    const result = new Float64Array(elements(shape));
    at(inputs, 0).data.forEach((index, i) => {
      const place = index < 0 ? index + depth : index;
      if (place >= 0 && place < depth) result[i * depth + place] = 1;
    });
    return result;
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const depth = numberAttribute(attributes, 'depth');
    const indices = fromZero(tf, at(inputs, 0), depth);
    return tf.reshape(tf.cast(tf.oneHot(tf.reshape(indices, [elements(indices.shape)]), depth), 'float32'), shape);
  },
  onnx: {
    write: (writer, node) => {
      const depth = writer.int64s([numberAttribute(node.attributes, 'depth')]);
      writer.node('OneHot', [at(node.inputs, 0), depth, writer.float([2], [0, 1])], { axis: { int: -1 } }, node.output);
    },
    read: {},
  },
};
