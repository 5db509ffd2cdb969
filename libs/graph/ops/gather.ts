import { expand, reshape } from '../emit.js';
import { gather, scatterAdd, sliceAlong } from '../emit/shape.js';
import { at, numberAttribute } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import { elements } from '../reference-tensor.js';
import { isFree } from '../shapes.js';
import { around, checkWholeNumbers, fromZero, indexWithin, replaced } from './indices.js';
import { beforeStretching } from './stretched.js';

/** Longer lists of known indices are not looked through. */
const MAX_SEQUENCE = 65_536;

/** Known indices that are evenly spaced are a slice, whose derivative costs less. */
function asSlice(e: Emit, x: Value, indices: Value, axis: number): Value | undefined {
  const dim = at(x.shape, axis);
  if (indices.source.kind !== 'constant' || isFree(dim)) return undefined;
  const { data } = indices.source;
  if (data.length === 0 || data.length > MAX_SEQUENCE) return undefined;
  const places = Array.from(data, (index) => indexWithin(index, dim));
  const [first = 0, second] = places;
  const step = second === undefined ? 1 : second - first;
  if (step === 0 || places.some((place, i) => place !== first + i * step)) return undefined;
  return reshape(e, sliceAlong(e, x, axis, first, places.length, step), replaced(x.shape, axis, indices.shape));
}

/** What was stretched is picked before, as the positions of tokens are, which are the same for every example. */
function ofStretched(e: Emit, x: Value, indices: Value, axis: number): Value | undefined {
  const shape = replaced(x.shape, axis, indices.shape);
  const fewer = beforeStretching(e, indices);
  if (fewer !== undefined) return expand(e, gather(e, x, fewer, axis), shape);
  const small = beforeStretching(e, x);
  if (small === undefined || small.shape[axis] !== x.shape[axis]) return undefined;
  return expand(e, gather(e, small, indices, axis), shape);
}

/** The slices of x along an axis that the indices name, in the place of that axis: also the rows of an embedding. */
export const gatherOp: OpDefinition = {
  name: 'gather',
  shape: (inputs, attributes) => {
    checkWholeNumbers(at(inputs, 1), 'A gather');
    return replaced(at(inputs, 0).shape, numberAttribute(attributes, 'axis'), at(inputs, 1).shape);
  },
  dtype: (inputs) => at(inputs, 0).dtype,
  simplify: (e, inputs, attributes) => {
    const axis = numberAttribute(attributes, 'axis');
    return asSlice(e, at(inputs, 0), at(inputs, 1), axis) ?? ofStretched(e, at(inputs, 0), at(inputs, 1), axis);
  },
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => {
      const axis = numberAttribute(attributes, 'axis');
      return [scatterAdd(e, cotangent, at(inputs, 1), axis, at(at(inputs, 0).shape, axis))];
    },
    jvp: (e, { inputs, attributes }, [tangent]) =>
      tangent && gather(e, tangent, at(inputs, 1), numberAttribute(attributes, 'axis')),
  },
  reference: (inputs, attributes, shape) => {
    const [x, indices] = [at(inputs, 0), at(inputs, 1)];
    const { before, size, behind } = around(x.shape, numberAttribute(attributes, 'axis'));
    const result = new Float64Array(elements(shape));
    let position = 0;
    for (let i = 0; i < before; i++) {
      for (const index of indices.data) {
        const start = (i * size + indexWithin(index, size)) * behind;
        result.set(x.data.subarray(start, start + behind), position);
        position += behind;
      }
    }
    return result;
  },
  tfjs: (tf, inputs, attributes, shape) => {
    const [x, indices] = [at(inputs, 0), at(inputs, 1)];
    const axis = numberAttribute(attributes, 'axis');
    const places = tf.reshape(fromZero(tf, indices, at(x.shape, axis)), [elements(indices.shape)]);
    return tf.reshape(tf.gather(x, places, axis), shape);
  },
  onnx: {
    write: (writer, node) =>
      void writer.node('Gather', node.inputs, { axis: { int: numberAttribute(node.attributes, 'axis') } }, node.output),
    read: {},
  },
};
