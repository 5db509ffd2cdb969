import type { OpDefinition } from '../op.js';
import { dtypeOfFirst } from './dtypes.js';
import { stepFunction } from './step-function.js';

export const signOp: OpDefinition = {
  ...stepFunction({
    name: 'sign',
    onnx: 'Sign',
    tfjs: (tf, x) => tf.sign(x),
    f: Math.sign,
    why: 'It jumps at 0 and is constant on both sides.',
  }),
  dtype: dtypeOfFirst,
};
