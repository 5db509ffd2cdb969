import { div, reduceSum, reshape } from '../emit.js';
import { cast, equal } from '../emit/elementwise.js';
import { reduceMax, reduceMin } from '../emit/reductions.js';
import { at, axesAttribute, flagAttribute } from '../op.js';
import type { Application, Emit, OpDefinition, Value } from '../op.js';
import { dtypeOfFirst } from './dtypes.js';
import { foldRows, kept, reductionReader, shapeOfReduction, weightedSum, withoutReduction, writeReduction } from './reduction.js';

/** The largest elements share the derivative equally, as those of `amax` in PyTorch: 1 / n at each of n, else 0. */
function shares(e: Emit, { inputs, output, attributes }: Application): Value {
  const x = at(inputs, 0);
  const axes = axesAttribute(attributes, 'axes');
  const isLargest = cast(e, equal(e, x, reshape(e, output, kept(x.shape, axes))), 'float32');
  return div(e, isLargest, reduceSum(e, isLargest, axes, true));
}

/** The largest element along some axes; −∞ where there is none. */
export const reduceMaxOp: OpDefinition = {
  name: 'reduceMax',
  shape: shapeOfReduction,
  dtype: dtypeOfFirst,
  simplify: withoutReduction,
  derivative: weightedSum(shares),
  reference: (inputs, attributes) =>
    foldRows(at(inputs, 0), axesAttribute(attributes, 'axes'), Number.NEGATIVE_INFINITY, (a, b) => Math.max(a, b)),
  tfjs: (tf, inputs, attributes) =>
    tf.max(at(inputs, 0), [...axesAttribute(attributes, 'axes')], flagAttribute(attributes, 'keepDims')),
  onnx: {
    write: (writer, node) => writeReduction('ReduceMax', writer, node),
    read: { ReduceMax: reductionReader(reduceMax), ReduceMin: reductionReader(reduceMin) },
  },
};
