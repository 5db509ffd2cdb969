import { ceil } from '../emit/elementwise.js';
import type { OpDefinition } from '../op.js';
import { stepFunction } from './step-function.js';

const base = stepFunction({
  name: 'floor',
  onnx: 'Floor',
  tfjs: (tf, x) => tf.floor(x),
  f: Math.floor,
  why: 'It jumps at whole numbers and is constant between them.',
});

export const floorOp: OpDefinition = {
  ...base,
  onnx: { ...base.onnx, read: { ...base.onnx.read, Ceil: (e, node) => ceil(e, node.input(0)) } },
};
