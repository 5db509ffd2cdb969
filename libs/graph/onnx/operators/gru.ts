import { add, mul, sub } from '../../emit.js';
import { at } from '../../op.js';
import type { Emit, OnnxReader, Value } from '../../op.js';
import { sliceAlong } from '../../emit/shape.js';
import { addIf, affine, gate, unrolled } from './recurrent.js';
import type { Cell } from './recurrent.js';

/** The rows of gates z and r, or those of the candidate, of a matrix or a vector of all three. */
const ofGates = (e: Emit, x: Value, hidden: number): Value => sliceAlong(e, x, 0, 0, 2 * hidden);
const ofCandidate = (e: Emit, x: Value, hidden: number): Value => sliceAlong(e, x, 0, 2 * hidden, hidden);

/**
 * Gates z, r, and the candidate n: h′ = (1 − z) ⊙ n + z ⊙ h. The reset gate weighs the state before its product
 * (n = tanh(… + (r ⊙ h) Rᵀ)), or the product (`linear_before_reset`, as PyTorch and Keras do).
 */
const cellOf = (resetAfter: boolean): Cell => ({
  gates: 3,
  states: 1,
  activations: ['Sigmoid', 'Tanh'],
  bias: (_e, { inputBias }) => inputBias,
  step: (e, weights, projected, [h]) => {
    if (h === undefined) throw new Error('A GRU has a state');
    const { hidden, recurrent, recurrentBias } = weights;
    const [f, g] = [at(weights.activations, 0), at(weights.activations, 1)];
    const weighted = (x: Value, part: typeof ofGates): Value =>
      addIf(e, affine(e, x, part(e, recurrent, hidden)), recurrentBias && part(e, recurrentBias, hidden));
    const gates = f(e, add(e, sliceAlong(e, projected, 1, 0, 2 * hidden), weighted(h, ofGates)));
    const [update, reset] = [gate(e, gates, 0, hidden), gate(e, gates, 1, hidden)];
    const recalled = resetAfter ? mul(e, reset, weighted(h, ofCandidate)) : weighted(mul(e, reset, h), ofCandidate);
    const candidate = g(e, add(e, gate(e, projected, 2, hidden), recalled));
    return [add(e, mul(e, sub(e, e.scalar(1), update), candidate), mul(e, update, h))];
  },
});

export const gru: OnnxReader = (e, node) => unrolled(e, node, cellOf(node.int('linear_before_reset', 0) === 1));
