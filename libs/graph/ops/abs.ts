import { sign } from '../emit/elementwise.js';
import type { OpDefinition } from '../op.js';
import { dtypeOfFirst } from './dtypes.js';
import { unary } from './unary.js';

/** The slope at 0 is taken as 0, as the frameworks do. */
export const absOp: OpDefinition = {
  ...unary({ name: 'abs', onnx: 'Abs', tfjs: (tf, x) => tf.abs(x), f: Math.abs, slope: (e, x) => sign(e, x) }),
  dtype: dtypeOfFirst,
};
