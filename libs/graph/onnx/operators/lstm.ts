import { add, addIfAny, mul, sub } from '../../emit.js';
import { at } from '../../op.js';
import type { Emit, OnnxReader, Value } from '../../op.js';
import { addIf, affine, gate, unrolled } from './recurrent.js';
import type { Cell, Weights } from './recurrent.js';

/** The part of a peephole that belongs to gate k, times the cell's state. */
const peep = (e: Emit, { peepholes, hidden }: Weights, k: number, state: Value): Value | undefined =>
  peepholes && mul(e, gate(e, peepholes, k, hidden), state);

/** Gates i, o, f, c; peepholes i, o, f: c′ = f ⊙ c + i ⊙ g, h′ = o ⊙ tanh c′. */
const cellOf = (coupled: boolean): Cell => ({
  gates: 4,
  states: 2,
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  bias: (e, { inputBias, recurrentBias }) => addIfAny(e, inputBias, recurrentBias),
  step: (e, weights, projected, [h, c]) => {
    if (h === undefined || c === undefined) throw new Error('An LSTM has two states');
    const [f, g, out] = [at(weights.activations, 0), at(weights.activations, 1), at(weights.activations, 2)];
    const sums = add(e, projected, affine(e, h, weights.recurrent));
    const part = (k: number): Value => gate(e, sums, k, weights.hidden);
    const input = f(e, addIf(e, part(0), peep(e, weights, 0, c)));
    const forget = coupled ? sub(e, e.scalar(1), input) : f(e, addIf(e, part(2), peep(e, weights, 2, c)));
    const cell = add(e, mul(e, forget, c), mul(e, input, g(e, part(3))));
    const output = f(e, addIf(e, part(1), peep(e, weights, 1, cell)));
    return [mul(e, output, out(e, cell)), cell];
  },
});

export const lstm: OnnxReader = (e, node) => unrolled(e, node, cellOf(node.int('input_forget', 0) === 1));
