import { neg } from '../emit.js';
import { argMax } from '../emit/reductions.js';
import type { Attributes } from '../graph.js';
import { at, flagAttribute, numberAttribute } from '../op.js';
import type { Emit, OnnxNode, OpDefinition, Value } from '../op.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { normalizeAxis, stridesOf } from '../shapes.js';
import { reducedShape } from './reduction.js';

const asReduction = (attributes: Attributes): Attributes => ({ ...attributes, axes: [numberAttribute(attributes, 'axis')] });

/** NaN counts as the largest, as in PyTorch. */
function places(x: ReferenceTensor, axis: number): Float64Array {
  const length = x.shape[axis] ?? 1;
  const stride = stridesOf(x.shape)[axis] ?? 1;
  const isLarger = (a: number, b: number): boolean => a > b || (Number.isNaN(a) && !Number.isNaN(b));
  return Float64Array.from({ length: x.data.length / Math.max(length, 1) }, (_, i) => {
    const start = Math.floor(i / stride) * stride * length + (i % stride);
    const valueAt = (place: number): number => x.data[start + place * stride] ?? Number.NaN;
    let largest = 0;
    for (let place = 1; place < length; place++) if (isLarger(valueAt(place), valueAt(largest))) largest = place;
    return largest;
  });
}

function read(e: Emit, node: OnnxNode, x: Value): Value {
  if (node.int('select_last_index', 0) === 1) throw node.unsupported('the last of equal elements', 'select_last_index = 0');
  return argMax(e, x, normalizeAxis(node.int('axis', 0), x.shape.length), node.int('keepdims', 1) === 1);
}

/** Where along an axis the largest element lies, the first of equal ones. */
export const argMaxOp: OpDefinition = {
  name: 'argMax',
  shape: (inputs, attributes) => reducedShape(at(inputs, 0).shape, asReduction(attributes)),
  dtype: () => 'int64',
  derivative: { piecewiseConstant: 'It is a place, which jumps where another element becomes the largest.' },
  reference: (inputs, attributes) => places(at(inputs, 0), numberAttribute(attributes, 'axis')),
  tfjs: (tf, inputs, attributes, shape) => tf.reshape(tf.argMax(at(inputs, 0), numberAttribute(attributes, 'axis')), shape),
  onnx: {
    write: (writer, node) => {
      const axis = { int: numberAttribute(node.attributes, 'axis') };
      const keepdims = { int: flagAttribute(node.attributes, 'keepDims') ? 1 : 0 };
      writer.node('ArgMax', [at(node.inputs, 0)], { axis, keepdims }, node.output);
    },
    read: {
      ArgMax: (e, node) => read(e, node, node.input(0)),
      ArgMin: (e, node) => read(e, node, neg(e, node.input(0))),
    },
  },
};
