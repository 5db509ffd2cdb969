/** Recurrent layers over a length that is fixed: every step becomes ops of its own. Weights are [in, gates × units] in tfjs. */
import { add, matmul, mul, reshape, sub } from '../emit.js';
import { concat, filled, sliceAlong } from '../emit/shape.js';
import type { Value } from '../op.js';
import { activationOf } from './activations.js';
import { fixedDim, flag, must, only, unsupported, whole } from './layer-use.js';
import type { LayerUse, Reader } from './layer-use.js';

interface Cell {
  readonly gates: number;
  readonly states: number;
  /** The next states from `projected`, the input's part [batch, gates × units] with the bias; the first one is the result. */
  readonly step: (use: LayerUse, projected: Value, states: readonly Value[], recurrent: Value, units: number) => readonly Value[];
}

const part = (use: LayerUse, x: Value, k: number, units: number, count = 1): Value =>
  sliceAlong(use.builder, x, x.shape.length - 1, k * units, count * units);

/** Gates i, f, g, o: c′ = f ⊙ c + i ⊙ g, h′ = o ⊙ tanh c′ (Hochreiter and Schmidhuber 1997, with forget gates). */
const lstmCell: Cell = {
  gates: 4,
  states: 2,
  step: (use, projected, [h, c], recurrent, units) => {
    if (h === undefined || c === undefined) throw new Error('An LSTM has two states');
    const e = use.builder;
    const sums = add(e, projected, matmul(e, h, recurrent));
    const gate = activationOf(use, 'recurrent_activation', 'hard_sigmoid');
    const inner = activationOf(use, 'activation', 'tanh');
    const forgotten = mul(e, gate(e, part(use, sums, 1, units)), c);
    const cell = add(e, forgotten, mul(e, gate(e, part(use, sums, 0, units)), inner(e, part(use, sums, 2, units))));
    return [mul(e, gate(e, part(use, sums, 3, units)), inner(e, cell)), cell];
  },
};

/** Gates z, r, h: h′ = z ⊙ h + (1 − z) ⊙ act(x_h + (r ⊙ h) U_h) (Cho et al. 2014). */
const gruCell: Cell = {
  gates: 3,
  states: 1,
  step: (use, projected, [h], recurrent, units) => {
    if (h === undefined) throw new Error('A GRU has a state');
    const e = use.builder;
    must(use, 'reset_after', [false]);
    const gate = activationOf(use, 'recurrent_activation', 'hard_sigmoid');
    const both = add(e, part(use, projected, 0, units, 2), matmul(e, h, part(use, recurrent, 0, units, 2)));
    const [z, r] = [gate(e, part(use, both, 0, units)), gate(e, part(use, both, 1, units))];
    const inside = add(e, part(use, projected, 2, units), matmul(e, mul(e, r, h), part(use, recurrent, 2, units)));
    const candidate = activationOf(use, 'activation', 'tanh')(e, inside);
    return [add(e, mul(e, z, h), mul(e, sub(e, e.scalar(1), z), candidate))];
  },
};

const simpleCell: Cell = {
  gates: 1,
  states: 1,
  step: (use, projected, [h], recurrent) => {
    if (h === undefined) throw new Error('A recurrent layer has a state');
    const e = use.builder;
    return [activationOf(use, 'activation', 'tanh')(e, add(e, projected, matmul(e, h, recurrent)))];
  },
};

const recurrentLayer =
  (cell: Cell): Reader =>
  (use) => {
    for (const name of ['stateful', 'return_state', 'unroll']) must(use, name, name === 'unroll' ? [true, false] : [false]);
    const e = use.builder;
    const x = only(use);
    if (x.shape.length !== 3) throw unsupported(use.layer, `an input of ${x.shape.length} axes`, '[batch, length, features]');
    const [length, features, units] = [fixedDim(use, x, 1), fixedDim(use, x, 2), whole(use, 'units')];
    if (length < 1) throw unsupported(use.layer, 'a sequence without steps', 'at least one step');
    const product = matmul(e, x, use.parameter('kernel', [features, cell.gates * units]));
    const recurrent = use.parameter('recurrent_kernel', [units, cell.gates * units]);
    const projected = flag(use, 'use_bias', true) ? add(e, product, use.parameter('bias', [cell.gates * units])) : product;
    const steps = Array.from({ length }, (_, i) => i);
    let states: readonly Value[] = Array.from({ length: cell.states }, () => filled(e, ['batch', units], 0));
    const results: Value[] = [];
    for (const step of flag(use, 'go_backwards', false) ? steps.toReversed() : steps) {
      const now = reshape(e, sliceAlong(e, projected, 1, step, 1), ['batch', cell.gates * units]);
      states = cell.step(use, now, states, recurrent, units);
      results.push(reshape(e, states[0] ?? now, ['batch', 1, units]));
    }
    const [last] = states;
    return flag(use, 'return_sequences', false) || last === undefined ? concat(e, results, 1) : last;
  };

export const lstm = recurrentLayer(lstmCell);
export const gru = recurrentLayer(gruCell);
export const simpleRecurrent = recurrentLayer(simpleCell);
