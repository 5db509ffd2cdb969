import { exp, reshape, softmax, sub } from '../emit.js';
import { reduceLogSumExp } from '../emit/reductions.js';
import { at, axesAttribute } from '../op.js';
import type { Application, Emit, OpDefinition, Value } from '../op.js';
import { foldRows, kept, reductionReader, shapeOfReduction, weightedSum, withoutReduction, writeReduction } from './reduction.js';

/** The slope, which is softmax over these axes: over one axis exact, over several as exact as a logarithm of its size. */
function weights(e: Emit, { inputs, output, attributes }: Application): Value {
  const x = at(inputs, 0);
  const axes = axesAttribute(attributes, 'axes');
  const [axis] = axes;
  if (axis !== undefined && axes.length === 1) return softmax(e, x, axis);
  return exp(e, sub(e, x, reshape(e, output, kept(x.shape, axes))));
}

/** log (eᵃ + eᵇ) */
function logAdd(a: number, b: number): number {
  const top = Math.max(a, b);
  return Math.abs(top) === Infinity ? top : top + Math.log1p(Math.exp(-Math.abs(a - b)));
}

/** log Σ eˣ over some axes, which does not overflow where the powers would. */
export const reduceLogSumExpOp: OpDefinition = {
  name: 'reduceLogSumExp',
  shape: shapeOfReduction,
  simplify: withoutReduction,
  derivative: weightedSum(weights),
  reference: (inputs, attributes) => foldRows(at(inputs, 0), axesAttribute(attributes, 'axes'), Number.NEGATIVE_INFINITY, logAdd),
  tfjs: (tf, inputs, attributes, shape) => {
    const x = at(inputs, 0);
    const axes = [...axesAttribute(attributes, 'axes')];
    const largest = tf.max(x, axes, true);
    // An infinite largest element is the result itself, and ∞ − ∞ would hide it.
    const top = tf.maximum(tf.minimum(largest, tf.scalar(3e38)), tf.scalar(-3e38));
    return tf.reshape(tf.add(top, tf.log(tf.sum(tf.exp(tf.sub(x, top)), axes, true))), shape);
  },
  onnx: {
    write: (writer, node) => writeReduction('ReduceLogSumExp', writer, node),
    read: { ReduceLogSumExp: reductionReader(reduceLogSumExp) },
  },
};
