import { add, addIfAny, mul, sub } from '../../emit.js';
import { sliceAlong } from '../../emit/shape.js';
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
    const candidate = g(e, gate(e, sums, 3, weights.hidden));
    const { peepholes, hidden } = weights;
    // Gates of one function are computed at once where nothing of their own comes to them.
    const together = peepholes === undefined ? f(e, sliceAlong(e, sums, 1, 0, 3 * hidden)) : undefined;
    const gateOf = (k: number, state: Value): Value =>
      together ? gate(e, together, k, hidden) : f(e, addIf(e, gate(e, sums, k, hidden), peep(e, weights, k, state)));
    const input = gateOf(0, c);
    const forget = coupled ? sub(e, e.scalar(1), input) : gateOf(2, c);
    const cell = add(e, mul(e, forget, c), mul(e, input, candidate));
    return [mul(e, gateOf(1, cell), out(e, cell)), cell];
  },
});

export const lstm: OnnxReader = (e, node) => unrolled(e, node, cellOf(node.int('input_forget', 0) === 1));
