import type { OpDefinition } from '../op.js';
import { pairwise } from './pairwise.js';

const base = pairwise({
  name: 'quotient',
  onnx: 'Div',
  // tfjs rounds down.
  tfjs: (tf, a, b) => tf.mul(tf.mul(tf.sign(a), tf.sign(b)), tf.floorDiv(tf.abs(a), tf.abs(b))),
  f: (a, b) => Math.trunc(a / b),
});

/** The division of whole numbers, rounded towards 0. `div` of `emit.ts` takes it for them. */
export const quotientOp: OpDefinition = {
  ...base,
  derivative: { piecewiseConstant: 'It divides whole numbers.' },
  onnx: { ...base.onnx, read: {} },
};
