import { gatherElements, scatterElementsAdd } from '../emit/shape.js';
import { at, numberAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { elements } from '../reference-tensor.js';
import { stridesOf } from '../shapes.js';
import { checkBeside, flatPlaces, indexWithin, offsetsBeside } from './indices.js';

/** x at the indices along one axis, at the same place along the other axes. */
export const gatherElementsOp: OpDefinition = {
  name: 'gatherElements',
  shape: (inputs, attributes) => {
    const [x, indices] = [at(inputs, 0), at(inputs, 1)];
    checkBeside(indices, x.shape, numberAttribute(attributes, 'axis'));
    return indices.shape;
  },
  dtype: (inputs) => at(inputs, 0).dtype,
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => [
      scatterElementsAdd(e, cotangent, at(inputs, 1), numberAttribute(attributes, 'axis'), at(inputs, 0).shape),
    ],
    jvp: (e, { inputs, attributes }, [tangent]) =>
      tangent && gatherElements(e, tangent, at(inputs, 1), numberAttribute(attributes, 'axis')),
  },
  reference: (inputs, attributes) => {
    const [x, indices] = [at(inputs, 0), at(inputs, 1)];
    const axis = numberAttribute(attributes, 'axis');
    const strides = stridesOf(x.shape);
    const offsets = offsetsBeside(indices.shape, strides, axis);
    const [size, stride] = [at(x.shape, axis), at(strides, axis)];
    return indices.data.map((index, i) => x.data[(offsets[i] ?? 0) + indexWithin(index, size) * stride] ?? Number.NaN);
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const [x, indices] = [at(inputs, 0), at(inputs, 1)];
    const places = tf.reshape(flatPlaces(tf, indices, numberAttribute(attributes, 'axis'), x.shape), [elements(shape)]);
    return tf.reshape(tf.gather(tf.reshape(x, [elements(x.shape)]), places, 0), shape);
  },
  onnx: {
    write: (writer, node) =>
      void writer.node('GatherElements', node.inputs, { axis: { int: numberAttribute(node.attributes, 'axis') } }, node.output),
    read: {},
  },
};
