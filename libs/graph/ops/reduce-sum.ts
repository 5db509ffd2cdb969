import { countAlong, expand, mul, reduceMean, reduceSum, reshape } from '../emit.js';
import { reduceL1, reduceL2, reduceLogSum, reduceSumSquare } from '../emit/reductions.js';
import { at, axesAttribute, flagAttribute, numberAttribute } from '../op.js';
import type { OpDefinition, Value } from '../op.js';
import { dtypeOfFirst } from './dtypes.js';
import { madeBy } from './patterns.js';
import { kept, foldRows, reducedShape, reductionReader, shapeOfReduction } from './reduction.js';

/** Where elements were put along an axis does not matter to a sum over it. */
function withoutPlaces(x: Value, axes: readonly number[]): Value | undefined {
  const scattered = madeBy(x, 'scatterElementsAdd');
  const updates = scattered?.inputs[0];
  if (scattered === undefined || updates === undefined || !axes.includes(numberAttribute(scattered.attributes, 'axis')))
    return undefined;
  return updates.shape.every((dim, axis) => axes.includes(axis) || dim === x.shape[axis]) ? updates : undefined;
}

/** The sum over some axes; one of them may be the free one. */
export const reduceSumOp: OpDefinition = {
  name: 'reduceSum',
  shape: shapeOfReduction,
  dtype: dtypeOfFirst,
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const axes = axesAttribute(attributes, 'axes');
    const result = reducedShape(x.shape, attributes);
    if (axes.every((axis) => x.shape[axis] === 1)) return reshape(e, x, result);
    const scattered = withoutPlaces(x, axes);
    if (scattered !== undefined) return reduceSum(e, scattered, axes, flagAttribute(attributes, 'keepDims'));
    const stretched = madeBy(x, 'expand');
    if (stretched === undefined || x.dtype !== 'float32') return undefined;
    // A sum of equal numbers is a multiple.
    const small = at(stretched.inputs, 0);
    const aligned = reshape(e, small, [...Array.from({ length: x.shape.length - small.shape.length }, () => 1), ...small.shape]);
    if (!axes.every((axis) => aligned.shape[axis] === 1)) return undefined;
    const one = reshape(e, small, reducedShape(aligned.shape, attributes));
    return expand(e, mul(e, one, countAlong(e, x, axes)), result);
  },
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => {
      const { shape } = at(inputs, 0);
      return [expand(e, reshape(e, cotangent, kept(shape, axesAttribute(attributes, 'axes'))), shape)];
    },
    jvp: (e, { attributes }, [tangent]) =>
      tangent && reduceSum(e, tangent, axesAttribute(attributes, 'axes'), flagAttribute(attributes, 'keepDims')),
  },
  reference: (inputs, attributes) => foldRows(at(inputs, 0), axesAttribute(attributes, 'axes'), 0, (sum, x) => sum + x),
  tfjs: (tf, inputs, attributes) =>
    tf.sum(at(inputs, 0), [...axesAttribute(attributes, 'axes')], flagAttribute(attributes, 'keepDims')),
  onnx: {
    write: (writer, node) => {
      const axes = writer.int64s(axesAttribute(node.attributes, 'axes'));
      const keepdims = { int: flagAttribute(node.attributes, 'keepDims') ? 1 : 0 };
      writer.node('ReduceSum', [at(node.inputs, 0), axes], { keepdims }, node.output);
    },
    read: {
      ReduceSum: reductionReader(reduceSum),
      ReduceMean: reductionReader(reduceMean),
      ReduceL1: reductionReader(reduceL1),
      ReduceL2: reductionReader(reduceL2),
      ReduceSumSquare: reductionReader(reduceSumSquare),
      ReduceLogSum: reductionReader(reduceLogSum),
    },
  },
};
