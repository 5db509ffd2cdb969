import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import { operandOf, withoutExpand } from './patterns.js';

export const notOp: OpDefinition = {
  name: 'not',
  elementwise: true,
  shape: (inputs) => at(inputs, 0).shape,
  dtype: () => 'bool',
  simplify: (e, inputs) => operandOf(at(inputs, 0), 'not') ?? withoutExpand(e, 'not', inputs),
  derivative: { piecewiseConstant: 'Its result is a truth value.' },
  reference: (inputs) => at(inputs, 0).data.map((x) => (x === 0 ? 1 : 0)),
  tfjs: (tf, inputs) => tf.logicalNot(at(inputs, 0)),
  onnx: {
    write: (writer, node) => void writer.node('Not', node.inputs, {}, node.output),
    read: { Not: (e, node) => e.apply('not', [node.input(0)]) },
  },
};
