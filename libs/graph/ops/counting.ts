import { at, shapeAttribute } from '../op.js';
import type { OpDefinition } from '../op.js';
import { isFree } from '../shapes.js';

/** Longer ones are counted by the executor. */
const MAX_COUNTED = 65_536;

/** 0, 1, 2 … up to a size that need not be known before the graph runs: the places of the examples. */
export const countingOp: OpDefinition = {
  name: 'counting',
  shape: (_, attributes) => shapeAttribute(attributes, 'size'),
  dtype: () => 'int64',
  simplify: (e, _inputs, attributes) => {
    const size = at(shapeAttribute(attributes, 'size'), 0);
    if (isFree(size) || size > MAX_COUNTED) return undefined;
    return e.constant(
      [size],
      Float64Array.from({ length: size }, (_, i) => i),
      'int64',
    );
  },
  derivative: { piecewiseConstant: 'It counts and does not depend on any value.' },
  reference: (_inputs, _attributes, shape) => Float64Array.from({ length: at(shape, 0) }, (_, i) => i),
  tfjs: (tf, _inputs, _attributes, shape) =>
    tf.tensor(
      Int32Array.from({ length: at(shape, 0) }, (_, i) => i),
      shape,
      'int32',
    ),
  onnx: {
    write: (writer, node) => {
      const number = (list: string): string => writer.node('Squeeze', [list]);
      const end = number(writer.sizes(node.outputType.shape));
      writer.node('Range', [number(writer.int64s([0])), end, number(writer.int64s([1]))], {}, node.output);
    },
    read: {},
  },
};
