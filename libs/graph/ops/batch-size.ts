import type { OpDefinition } from '../op.js';

/** The number of examples in the chunk, as a float. Its reference kernel is in the interpreter, which knows the number. */
export const batchSizeOp: OpDefinition = {
  name: 'batchSize',
  shape: () => [],
  derivative: { piecewiseConstant: 'It counts examples and does not depend on any value.' },
  reference: () => {
    throw new Error('The interpreter answers this itself');
  },
  tfjs: () => {
    throw new Error('The executor answers this itself');
  },
  onnx: {
    write: (writer, node) => {
      const count = writer.node('Cast', [writer.sizes(['batch'])], { to: { int: 1 } });
      writer.node('Reshape', [count, writer.int64s([])], {}, node.output);
    },
    read: {},
  },
};
