import { extremum, isGreater } from './extremum.js';

export const minOp = extremum({ name: 'min', onnx: 'Min', tfjs: (tf, a, b) => tf.minimum(a, b), f: Math.min, loses: isGreater });
