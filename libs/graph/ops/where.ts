import { expand, sumTo } from '../emit.js';
import { cast, where } from '../emit/elementwise.js';
import { UnsupportedModel } from '../errors.js';
import type { DType, Shape, ValueType } from '../graph.js';
import { guardedChoice } from '../onnx/operators/guarded-softmax.js';
import { at } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import { broadcastOffsets, forEachOffset } from '../reference-tensor.js';
import { broadcastShapes, sameShape } from '../shapes.js';
import { commonDtype, numberLike } from './dtypes.js';
import { constantNumber, operandOf } from './patterns.js';

const shapeOf = (inputs: readonly ValueType[]): Shape => inputs.map(({ shape }) => shape).reduce((a, b) => broadcastShapes(a, b));

function dtypeOf(inputs: readonly ValueType[]): DType {
  const condition = at(inputs, 0).dtype;
  if (condition === 'bool') return commonDtype(inputs.slice(1));
  throw new UnsupportedModel(`A choice by a tensor of ${condition}`, { value: condition, expected: 'bool' });
}

/** What was stretched need not be where the others fill the shape. */
function simplified(e: Emit, inputs: readonly Value[]): Value | undefined {
  const shape = shapeOf(inputs);
  const [condition, a, b] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
  if (a === b) return expand(e, a, shape);
  if (constantNumber(a) === 1 && constantNumber(b) === 0 && a.shape.length + b.shape.length === 0)
    return cast(e, condition, a.dtype);
  if (condition.source.kind === 'constant') {
    const first = condition.source.data[0];
    if (condition.source.data.every((truth) => truth === first)) {
      return first === undefined ? undefined : expand(e, first === 0 ? b : a, shape);
    }
  }
  for (const [i, input] of inputs.entries()) {
    const small = operandOf(input, 'expand');
    if (small === undefined) continue;
    const others = inputs.with(i, small);
    if (sameShape(shapeOf(others), shape)) return e.apply('where', others);
  }
  return undefined;
}

/** The first where the condition holds, else the second. What is not chosen plays no part, NaN or not, here or in derivatives. */
export const whereOp: OpDefinition = {
  name: 'where',
  elementwise: true,
  shape: shapeOf,
  dtype: dtypeOf,
  simplify: simplified,
  derivative: {
    vjp: (e, { inputs }, cotangent, wanted) => {
      const [condition, a, b] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
      const zero = e.scalar(0);
      return [
        undefined,
        wanted[1] ? sumTo(e, where(e, condition, cotangent, zero), a.shape) : undefined,
        wanted[2] ? sumTo(e, where(e, condition, zero, cotangent), b.shape) : undefined,
      ];
    },
    jvp: (e, { inputs, output }, [, a, b]) => {
      const zero = numberLike(e, output, 0);
      return expand(e, where(e, at(inputs, 0), a ?? zero, b ?? zero), output.shape);
    },
  },
  reference: (inputs, _, shape) => {
    const [condition, a, b] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
    const [fromA, fromB] = [broadcastOffsets(a.shape, shape), broadcastOffsets(b.shape, shape)];
    return forEachOffset(broadcastOffsets(condition.shape, shape), (offset, i) =>
      condition.data[offset] === 0 ? (b.data[fromB[i] ?? 0] ?? Number.NaN) : (a.data[fromA[i] ?? 0] ?? Number.NaN),
    );
  },
  tfjs: (tf, inputs) => tf.where(at(inputs, 0), at(inputs, 1), at(inputs, 2)),
  onnx: {
    write: (writer, node) => void writer.node('Where', node.inputs, {}, node.output),
    read: { Where: (e, node) => guardedChoice(e, node.input(0), node.input(1), node.input(2)) },
  },
};
