/** ONNX operators that do nothing here: they are read, and leave no op behind. */
import type { OnnxReader } from '../op.js';

export const passThroughReaders: Readonly<Record<string, OnnxReader>> = {
  Identity: (_e, node) => node.input(0),
  Dropout: (_e, node) => {
    // A share of zero drops nothing.
    if (node.has(2) && node.sizes(2)[0] === 1 && !(node.has(1) && node.number(1) === 0)) {
      throw node.unsupported('dropout in training mode', 'a model exported with dropout switched off (model.eval())');
    }
    return node.input(0);
  },
};
