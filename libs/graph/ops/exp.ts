import { unary } from './unary.js';

export const expOp = unary({ name: 'exp', onnx: 'Exp', tfjs: (tf, x) => tf.exp(x), f: Math.exp, slope: (_e, _x, y) => y });
