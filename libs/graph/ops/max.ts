import { extremum, isLess } from './extremum.js';

export const maxOp = extremum({ name: 'max', onnx: 'Max', tfjs: (tf, a, b) => tf.maximum(a, b), f: Math.max, loses: isLess });
