import { expand, sumTo } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import { at, shapeAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { broadcastOffsets, forEachOffset } from '../reference-tensor.js';
import { broadcastShapes, broadcastsTo, sameShape, showShape } from '../shapes.js';
import { dtypeOfFirst } from './dtypes.js';
import { madeBy } from './patterns.js';

/** Stretches axes of size 1, and adds axes in front. */
export const expandOp: OpDefinition = {
  name: 'expand',
  shape: (inputs, attributes) => {
    const shape = shapeAttribute(attributes, 'shape');
    const from = at(inputs, 0).shape;
    if (broadcastsTo(from, shape)) return shape;
    throw new UnsupportedModel(`A tensor of shape ${showShape(from)} cannot be stretched to ${showShape(shape)}`, {
      value: showShape(from),
      expected: `a shape that broadcasts to ${showShape(shape)}`,
    });
  },
  dtype: dtypeOfFirst,
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const shape = shapeAttribute(attributes, 'shape');
    if (sameShape(x.shape, shape)) return x;
    const before = madeBy(x, 'expand');
    return before && expand(e, at(before.inputs, 0), shape);
  },
  derivative: {
    vjp: (e, { inputs }, cotangent) => [sumTo(e, cotangent, at(inputs, 0).shape)],
    jvp: (e, { output }, [tangent]) => tangent && expand(e, tangent, output.shape),
  },
  reference: (inputs, _, shape) => {
    const x = at(inputs, 0);
    return forEachOffset(broadcastOffsets(x.shape, shape), (offset) => x.data[offset] ?? Number.NaN);
  },
  tfjs: (tf, inputs, _, shape) => tf.broadcastTo(at(inputs, 0), shape),
  onnx: {
    write: (writer, node) =>
      void writer.node('Expand', [at(node.inputs, 0), writer.sizes(shapeAttribute(node.attributes, 'shape'))], {}, node.output),
    read: {
      Expand: (e, node) => expand(e, node.input(0), broadcastShapes(node.input(0).shape, node.sizes(1))),
    },
  },
};
