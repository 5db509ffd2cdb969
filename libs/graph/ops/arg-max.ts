import { neg } from '../emit.js';
import { argMax } from '../emit/reductions.js';
import type { Attributes } from '../graph.js';
import { at, flagAttribute, numberAttribute } from '../op.js';
import type { Emit, OnnxNode, OpDefinition, Value } from '../op.js';
import { normalizeAxis } from '../shapes.js';
import { reduceRows, reducedShape } from './reduction.js';

const asReduction = (attributes: Attributes): Attributes => ({ ...attributes, axes: [numberAttribute(attributes, 'axis')] });

function firstLargest(row: readonly number[]): number {
  const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return Math.max(
    0,
    row.findIndex((x) => Object.is(x, top) || x === top),
  );
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
  reference: (inputs, attributes) => reduceRows(at(inputs, 0), [numberAttribute(attributes, 'axis')], firstLargest),
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
