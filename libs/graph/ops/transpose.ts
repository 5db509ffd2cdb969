import { transpose } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import { at, axesAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { forEachOffset, walk } from '../reference-tensor.js';
import { showShape, stridesOf } from '../shapes.js';
import { dtypeOfFirst } from './dtypes.js';
import { madeBy } from './patterns.js';
import { writeTranspose } from './transpose-onnx.js';

const inverse = (permutation: readonly number[]): number[] => permutation.map((_, axis) => permutation.indexOf(axis));

/** Axis i of the result is axis `permutation[i]` of x. */
export const transposeOp: OpDefinition = {
  name: 'transpose',
  shape: (inputs, attributes) => {
    const { shape } = at(inputs, 0);
    const permutation = axesAttribute(attributes, 'permutation');
    if (new Set(permutation).size < permutation.length || permutation.length !== shape.length) {
      throw new UnsupportedModel(`The axes of ${showShape(shape)} in the order ${permutation.join(', ')}`, {
        value: permutation.join(', '),
        expected: 'each axis once',
      });
    }
    return permutation.map((axis) => at(shape, axis));
  },
  dtype: dtypeOfFirst,
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const permutation = axesAttribute(attributes, 'permutation');
    if (permutation.every((axis, i) => axis === i)) return x;
    const before = madeBy(x, 'transpose');
    if (before === undefined) return undefined;
    const first = axesAttribute(before.attributes, 'permutation');
    return transpose(
      e,
      at(before.inputs, 0),
      permutation.map((axis) => at(first, axis)),
    );
  },
  derivative: {
    vjp: (e, { attributes }, cotangent) => [transpose(e, cotangent, inverse(axesAttribute(attributes, 'permutation')))],
    jvp: (e, { attributes }, [tangent]) => tangent && transpose(e, tangent, axesAttribute(attributes, 'permutation')),
  },
  reference: (inputs, attributes, shape) => {
    const x = at(inputs, 0);
    const strides = stridesOf(x.shape);
    const steps = axesAttribute(attributes, 'permutation').map((axis) => at(strides, axis));
    return forEachOffset(walk(shape, steps), (offset) => x.data[offset] ?? Number.NaN);
  },
  tfjs: (tf, inputs, attributes) => tf.transpose(at(inputs, 0), [...axesAttribute(attributes, 'permutation')]),
  onnx: {
    write: writeTranspose,
    read: {
      Transpose: (e, node) => {
        const x = node.input(0);
        return transpose(e, x, node.ints('perm') ?? x.shape.map((_, i) => x.shape.length - 1 - i));
      },
    },
  },
};
