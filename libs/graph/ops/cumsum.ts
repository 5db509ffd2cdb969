import { expand } from '../emit.js';
import { cumsum } from '../emit/shape.js';
import type { CumsumOptions } from '../emit/shape.js';
import { UnsupportedModel } from '../errors.js';
import type { Attributes } from '../graph.js';
import { at, flagAttribute, numberAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { fixedSize, isFree, normalizeAxis, showShape } from '../shapes.js';
import { alongAxis } from './along-axis.js';
import { beforeStretching } from './stretched.js';

/** Rows are taken out and put back. */
const STEPS_PER_SUM = 64;

const optionsOf = (attributes: Attributes): Required<CumsumOptions> => ({
  exclusive: flagAttribute(attributes, 'exclusive'),
  reverse: flagAttribute(attributes, 'reverse'),
});

function runningSums(row: readonly number[], exclusive: boolean): number[] {
  let sum = 0;
  return row.map((x) => {
    const before = sum;
    sum += x;
    return exclusive ? before : sum;
  });
}

/** Sums of the elements up to each one along an axis (`exclusive`: before it; `reverse`: from the end). */
export const cumsumOp: OpDefinition = {
  name: 'cumsum',
  shape: (inputs, attributes) => {
    const { shape } = at(inputs, 0);
    if (isFree(at(shape, numberAttribute(attributes, 'axis')))) {
      throw new UnsupportedModel(`A running sum over the examples of ${showShape(shape)}`, { expected: 'another axis' });
    }
    return shape;
  },
  dtype: (inputs) => at(inputs, 0).dtype,
  work: (_inputs, _attributes, shape) => STEPS_PER_SUM * fixedSize(shape),
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const axis = numberAttribute(attributes, 'axis');
    const small = beforeStretching(e, x);
    return small?.shape[axis] === x.shape[axis] && small !== undefined
      ? expand(e, cumsum(e, small, axis, optionsOf(attributes)), x.shape)
      : undefined;
  },
  derivative: {
    vjp: (e, { attributes }, cotangent) => {
      const { exclusive, reverse } = optionsOf(attributes);
      return [cumsum(e, cotangent, numberAttribute(attributes, 'axis'), { exclusive, reverse: !reverse })];
    },
    jvp: (e, { attributes }, [tangent]) =>
      tangent && cumsum(e, tangent, numberAttribute(attributes, 'axis'), optionsOf(attributes)),
  },
  reference: (inputs, attributes) => {
    const { exclusive, reverse } = optionsOf(attributes);
    return alongAxis(at(inputs, 0), numberAttribute(attributes, 'axis'), (row) =>
      reverse ? runningSums(row.toReversed(), exclusive).reverse() : runningSums(row, exclusive),
    );
  },
  tfjs: (tf, inputs, attributes) => {
    const { exclusive, reverse } = optionsOf(attributes);
    return tf.cumsum(at(inputs, 0), numberAttribute(attributes, 'axis'), exclusive, reverse);
  },
  onnx: {
    write: (writer, node) => {
      const { exclusive, reverse } = optionsOf(node.attributes);
      const axis = writer.int64s([numberAttribute(node.attributes, 'axis')]);
      const flags = { exclusive: { int: exclusive ? 1 : 0 }, reverse: { int: reverse ? 1 : 0 } };
      writer.node('CumSum', [at(node.inputs, 0), axis], flags, node.output);
    },
    read: {
      CumSum: (e, node) => {
        const x = node.input(0);
        const axis = normalizeAxis(Number(node.sizes(1)[0]), x.shape.length);
        return cumsum(e, x, axis, { exclusive: node.int('exclusive', 0) === 1, reverse: node.int('reverse', 0) === 1 });
      },
    },
  },
};
