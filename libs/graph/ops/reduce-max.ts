import { div, expand, mul, reduceSum, reshape } from '../emit.js';
import { cast, equal } from '../emit/elementwise.js';
import { reduceMax, reduceMin } from '../emit/reductions.js';
import { at, axesAttribute, flagAttribute } from '../op.js';
import type { Application, Emit, OpDefinition, Value } from '../op.js';
import { dtypeOfFirst } from './dtypes.js';
import { kept, foldRows, reducedShape, reductionReader, shapeOfReduction, writeReduction } from './reduction.js';

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
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const isOne = axesAttribute(attributes, 'axes').every((axis) => x.shape[axis] === 1);
    return isOne ? reshape(e, x, reducedShape(x.shape, attributes)) : undefined;
  },
  derivative: {
    vjp: (e, use, cotangent) => {
      const { shape } = at(use.inputs, 0);
      const whole = reshape(e, cotangent, kept(shape, axesAttribute(use.attributes, 'axes')));
      return [expand(e, mul(e, whole, shares(e, use)), shape)];
    },
    jvp: (e, use, [tangent]) =>
      tangent &&
      reduceSum(
        e,
        mul(e, tangent, shares(e, use)),
        axesAttribute(use.attributes, 'axes'),
        flagAttribute(use.attributes, 'keepDims'),
      ),
  },
  reference: (inputs, attributes) =>
    foldRows(at(inputs, 0), axesAttribute(attributes, 'axes'), Number.NEGATIVE_INFINITY, (a, b) => Math.max(a, b)),
  tfjs: (tf, inputs, attributes) =>
    tf.max(at(inputs, 0), [...axesAttribute(attributes, 'axes')], flagAttribute(attributes, 'keepDims')),
  onnx: {
    write: (writer, node) => writeReduction('ReduceMax', writer, node),
    read: { ReduceMax: reductionReader(reduceMax), ReduceMin: reductionReader(reduceMin) },
  },
};
