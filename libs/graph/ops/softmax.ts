import { mul, reduceSum, softmax, sub } from '../emit.js';
import { at, numberAttribute } from '../op.js';
import type { Emit, OnnxNode, OpDefinition, Value } from '../op.js';
import { normalizeAxis } from '../shapes.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { alongAxis } from './along-axis.js';

/** Before opset 13 the operator flattened all axes from `axis` on; that is the same only for the last one. */
export function softmaxAxis(node: OnnxNode): number {
  const rank = node.input(0).shape.length;
  const axis = normalizeAxis(node.int('axis', node.opset < 13 ? 1 : -1), rank);
  if (node.opset < 13 && axis !== rank - 1) {
    throw node.unsupported(
      `softmax over the axes from ${axis} on at once (opset ${node.opset})`,
      'the last axis, or opset 13 or newer',
    );
  }
  return axis;
}

/** y ⊙ (v − Σ y v): the Jacobian of softmax, which is symmetric. */
function jacobianTimes(e: Emit, y: Value, v: Value, axis: number): Value {
  return mul(e, y, sub(e, v, reduceSum(e, mul(e, y, v), [axis], true)));
}

/** tfjs knows the last axis only. */
function tfjsSoftmax(tf: TfjsOps, x: TfjsTensor, axis: number): TfjsTensor {
  if (axis === x.shape.length - 1) return tf.softmax(x);
  const powers = tf.exp(tf.sub(x, tf.max(x, [axis], true)));
  return tf.div(powers, tf.sum(powers, [axis], true));
}

export const softmaxOp: OpDefinition = {
  name: 'softmax',
  shape: (inputs) => at(inputs, 0).shape,
  derivative: {
    vjp: (e, { output, attributes }, cotangent) => [jacobianTimes(e, output, cotangent, numberAttribute(attributes, 'axis'))],
    jvp: (e, { output, attributes }, [tangent]) =>
      tangent && jacobianTimes(e, output, tangent, numberAttribute(attributes, 'axis')),
  },
  reference: (inputs, attributes) =>
    alongAxis(at(inputs, 0), numberAttribute(attributes, 'axis'), (row) => {
      const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
      const powers = row.map((x) => Math.exp(x - top));
      const total = powers.reduce((a, b) => a + b, 0);
      return powers.map((x) => x / total);
    }),
  tfjs: (tf, inputs, attributes) => tfjsSoftmax(tf, at(inputs, 0), numberAttribute(attributes, 'axis')),
  onnx: {
    write: (writer, node) =>
      void writer.node('Softmax', node.inputs, { axis: { int: numberAttribute(node.attributes, 'axis') } }, node.output),
    read: { Softmax: (e, node) => softmax(e, node.input(0), softmaxAxis(node)) },
  },
};
