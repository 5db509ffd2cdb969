import { expand, mul, reduceSum, reshape } from '../emit.js';
import { reduceProd, reduceProdAlong } from '../emit/reductions.js';
import { where } from '../emit/elementwise.js';
import { UnsupportedModel } from '../errors.js';
import { at, axesAttribute } from '../op.js';
import type { Application, Emit, OpDefinition, Value } from '../op.js';
import { isFree, showShape } from '../shapes.js';
import { dtypeOfFirst, numberLike } from './dtypes.js';
import { kept, foldRows, reductionReader, shapeOfReduction, writeReduction } from './reduction.js';

const axisOf = ({ attributes }: Pick<Application, 'attributes'>): number => axesAttribute(attributes, 'axes')[0] ?? 0;

/**
 * At each element the product of the others, right where some are 0 too: the element itself is replaced by 1 in a copy of
 * the row. A row of n takes n² numbers; rows that are multiplied are short.
 */
function productsOfOthers(e: Emit, use: Application): Value {
  const x = at(use.inputs, 0);
  const axis = axisOf(use);
  const length = x.shape[axis] ?? 1;
  if (isFree(length)) {
    throw new UnsupportedModel(`The derivative of a product over the free axis of ${showShape(x.shape)}`, {
      value: showShape(x.shape),
      expected: 'a product over an axis of fixed size',
    });
  }
  const behind = x.shape.slice(axis + 1).map(() => 1);
  const isItself = Float64Array.from({ length: length * length }, (_, i) => (i % (length + 1) === 0 ? 1 : 0));
  const rows = reshape(e, x, x.shape.toSpliced(axis, 0, 1));
  const others = where(e, e.constant([length, length, ...behind], isItself, 'bool'), e.scalar(1), rows);
  return reshape(e, reduceProdAlong(e, others, axis + 1), x.shape);
}

/** The product along one axis, which stays as an axis of size 1; `reduceProd` of `emit/reductions.ts` does several. */
export const reduceProdOp: OpDefinition = {
  name: 'reduceProd',
  shape: shapeOfReduction,
  dtype: dtypeOfFirst,
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const axis = axisOf({ attributes });
    if (x.shape[axis] === 0) return expand(e, numberLike(e, x, 1), kept(x.shape, [axis]));
    return x.shape[axis] === 1 ? x : undefined;
  },
  derivative: {
    vjp: (e, use, cotangent) => [expand(e, mul(e, cotangent, productsOfOthers(e, use)), at(use.inputs, 0).shape)],
    jvp: (e, use, [tangent]) => tangent && reduceSum(e, mul(e, tangent, productsOfOthers(e, use)), [axisOf(use)], true),
  },
  reference: (inputs, attributes) => foldRows(at(inputs, 0), axesAttribute(attributes, 'axes'), 1, (product, x) => product * x),
  tfjs: (tf, inputs, attributes) => tf.prod(at(inputs, 0), [axisOf({ attributes })], true),
  onnx: {
    write: (writer, node) => writeReduction('ReduceProd', writer, node),
    read: { ReduceProd: reductionReader(reduceProd) },
  },
};
