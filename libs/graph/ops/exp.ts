import { unary } from './unary.js';

export const expOp = unary({ name: 'exp', onnx: 'Exp', f: Math.exp, slope: (_e, _x, y) => y });
