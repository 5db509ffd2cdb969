import { gatherElements, scatterElementsAdd } from '../emit/shape.js';
import { at, numberAttribute, shapeAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { elements } from '../reference-tensor.js';
import { stridesOf } from '../shapes.js';
import { checkBeside, flatPlaces, indexWithin, offsetsBeside } from './indices.js';

/** Adds elements up at the places along an axis that the indices name: the adjoint of `gatherElements`. */
export const scatterElementsAddOp: OpDefinition = {
  name: 'scatterElementsAdd',
  shape: (inputs, attributes) => {
    const shape = shapeAttribute(attributes, 'shape');
    checkBeside(at(inputs, 1), shape, numberAttribute(attributes, 'axis'));
    return shape;
  },
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => [
      gatherElements(e, cotangent, at(inputs, 1), numberAttribute(attributes, 'axis')),
    ],
    jvp: (e, { inputs, attributes, output }, [tangent]) =>
      tangent && scatterElementsAdd(e, tangent, at(inputs, 1), numberAttribute(attributes, 'axis'), output.shape),
  },
  reference: (inputs, attributes, shape) => {
    const [updates, indices] = [at(inputs, 0), at(inputs, 1)];
    const axis = numberAttribute(attributes, 'axis');
    const strides = stridesOf(shape);
    const offsets = offsetsBeside(indices.shape, strides, axis);
    const sums = new Float64Array(elements(shape));
    indices.data.forEach((index, i) => {
      const place = (offsets[i] ?? 0) + indexWithin(index, at(shape, axis)) * at(strides, axis);
      sums[place] = (sums[place] ?? 0) + (updates.data[i] ?? Number.NaN);
    });
    return sums;
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const [updates, indices] = [at(inputs, 0), at(inputs, 1)];
    const count = elements(indices.shape);
    if (count === 0) return tf.broadcastTo(tf.scalar(0), shape);
    const places = tf.reshape(flatPlaces(tf, indices, numberAttribute(attributes, 'axis'), shape), [count, 1]);
    return tf.reshape(tf.scatterND(places, tf.reshape(updates, [count]), [elements(shape)]), shape);
  },
  onnx: {
    write: (writer, node) => {
      const zeros = writer.node('Expand', [writer.float([], [0]), writer.sizes(shapeAttribute(node.attributes, 'shape'))]);
      const attributes = { axis: { int: numberAttribute(node.attributes, 'axis') }, reduction: { text: 'add' } };
      writer.node('ScatterElements', [zeros, at(node.inputs, 1), at(node.inputs, 0)], attributes, node.output);
    },
    read: {},
  },
};
