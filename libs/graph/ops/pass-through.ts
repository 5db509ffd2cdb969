/** ONNX operators that do nothing here: they are read, and leave no op behind. */
import type { OnnxReader } from '../op.js';

const floatTypes = new Set([1, 11]);

export const passThroughReaders: Readonly<Record<string, OnnxReader>> = {
  Identity: (_e, node) => node.input(0),
  Dropout: (_e, node) => {
    if (node.has(2) && node.sizes(2)[0] === 1) {
      throw node.unsupported('dropout in training mode', 'a model exported with dropout switched off (model.eval())');
    }
    return node.input(0);
  },
  Cast: (_e, node) => {
    const to = node.int('to', 0);
    if (!floatTypes.has(to)) throw node.unsupported(`a cast to the ONNX type ${to}`, 'FLOAT or DOUBLE');
    return node.input(0);
  },
};
