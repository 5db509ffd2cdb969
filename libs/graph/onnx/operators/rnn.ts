import { add, addIfAny } from '../../emit.js';
import { at } from '../../op.js';
import type { OnnxReader } from '../../op.js';
import { affine, unrolled } from './recurrent.js';
import type { Cell } from './recurrent.js';

/** h′ = f(W x + R h + b) */
const cell: Cell = {
  gates: 1,
  states: 1,
  activations: ['Tanh'],
  bias: (e, { inputBias, recurrentBias }) => addIfAny(e, inputBias, recurrentBias),
  step: (e, { activations, recurrent }, projected, state) => [
    at(activations, 0)(e, add(e, projected, affine(e, at(state, 0), recurrent))),
  ],
};

export const rnn: OnnxReader = (e, node) => unrolled(e, node, cell);
