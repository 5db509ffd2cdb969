import { stepFunction } from './step-function.js';

/** Halves go to the even neighbour. */
function roundOf(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

export const roundOp = stepFunction({
  name: 'round',
  onnx: 'Round',
  tfjs: (tf, x) => tf.round(x),
  f: roundOf,
  why: 'It jumps halfway between whole numbers and is constant between the jumps.',
});
