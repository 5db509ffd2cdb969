import type { OnnxNode, Value } from '../op.js';

/** All inputs of an operator that takes any number of them. */
export const eachOf = (node: OnnxNode): Value[] => Array.from({ length: node.inputCount }, (_, i) => node.input(i));
