/**
 * What LSTM, GRU and RNN share: a cell is applied to one step after the other, in one direction or in both, and what it hands
 * on becomes the results. The length must be fixed, since every step becomes ops of its own.
 */
import { add, matmul, relu, reshape, sigmoid, tanh, transpose } from '../../emit.js';
import { concat, filled, sliceAlong } from '../../emit/shape.js';
import type { Shape } from '../../graph.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, Value } from '../../op.js';
import { isFree, showShape } from '../../shapes.js';

export type Activation = (e: Emit, x: Value) => Value;

const known: Readonly<Record<string, Activation>> = { relu, sigmoid, tanh };

/** Weights of one direction; matrices as ONNX has them, one row for each number of each gate. */
export interface Weights {
  readonly hidden: number;
  /** [gates × hidden, inputs] */
  readonly input: Value;
  /** [gates × hidden, hidden] */
  readonly recurrent: Value;
  /** [gates × hidden] each; absent where there are none. */
  readonly inputBias: Value | undefined;
  readonly recurrentBias: Value | undefined;
  /** [3 × hidden], LSTM only. */
  readonly peepholes: Value | undefined;
  readonly activations: readonly Activation[];
}

/** Values that a step hands to the next one, each [batch, hidden]; the first one is the step's result. */
export type State = readonly Value[];

export interface Cell {
  readonly gates: number;
  readonly states: number;
  /** Of ONNX, for each direction. */
  readonly activations: readonly string[];
  /** `projected`: W x of this step, with the biases that do not depend on the state. */
  readonly step: (e: Emit, weights: Weights, projected: Value, state: State) => State;
  /** What `projected` has of the biases. */
  readonly bias: (e: Emit, weights: Weights) => Value | undefined;
}

/** The k-th of equal parts of the last axis. */
export function gate(e: Emit, x: Value, k: number, size: number): Value {
  return sliceAlong(e, x, x.shape.length - 1, k * size, size);
}

export const addIf = (e: Emit, x: Value, y: Value | undefined): Value => (y === undefined ? x : add(e, x, y));

/** x Wᵀ */
export const affine = (e: Emit, x: Value, weight: Value): Value => matmul(e, x, weight, { transB: true });

/** Results Y [time, directions, batch, hidden], then the last states [directions, batch, hidden]. */
export function unrolled(e: Emit, node: OnnxNode, cell: Cell): Value[] {
  const batchFirst = node.int('layout', 0) === 1;
  const given = node.input(0);
  const x = batchFirst ? transpose(e, given, [1, 0, 2]) : given;
  const [time, examples] = [x.shape[0], x.shape[1]];
  if (x.shape.length !== 3 || time === undefined || examples === undefined || isFree(time)) {
    throw node.unsupported(`a sequence of shape ${showShape(given.shape)}`, 'a length that is fixed when the model is exported');
  }
  checkLengths(node, time);
  if (node.floats('clip')?.length || node.float('clip', 0) > 0)
    throw node.unsupported('clipping inside a recurrent cell', 'no clip');
  const direction = node.text('direction', 'forward');
  const backwards = direction === 'bidirectional' ? [false, true] : [direction === 'reverse'];
  const ends = backwards.map((isBackwards, d) => {
    const weights = weightsOf(e, node, cell, d);
    const initial = Array.from({ length: cell.states }, (_, k) =>
      initialState(e, node, d, 5 + k, batchFirst, [examples, weights.hidden]),
    );
    return run(e, cell, weights, x, initial, isBackwards);
  });
  const stacked = (values: readonly Value[], axis: number): Value =>
    concat(
      e,
      values.map((value) => reshape(e, value, inserted(value.shape, axis))),
      axis,
    );
  const sequence = stacked(
    ends.map(({ results }) => stacked(results, 0)),
    1,
  );
  const states = Array.from({ length: cell.states }, (_, k) =>
    stacked(
      ends.map(({ state }) => at(state, k)),
      0,
    ),
  );
  return batchFirst
    ? [transpose(e, sequence, [2, 0, 1, 3]), ...states.map((state) => transpose(e, state, [1, 0, 2]))]
    : [sequence, ...states];
}

const inserted = (shape: Shape, axis: number): Shape => [...shape.slice(0, axis), 1, ...shape.slice(axis)];

function run(
  e: Emit,
  cell: Cell,
  weights: Weights,
  x: Value,
  initial: State,
  backwards: boolean,
): { readonly results: readonly Value[]; readonly state: State } {
  // All steps at once: one large product in place of many small ones.
  const projected = addIf(e, affine(e, x, weights.input), cell.bias(e, weights));
  const [time, examples, width] = [Number(projected.shape[0]), at(projected.shape, 1), at(projected.shape, 2)];
  const results: Value[] = [];
  let state = initial;
  for (let i = 0; i < time; i++) {
    const t = backwards ? time - 1 - i : i;
    state = cell.step(e, weights, reshape(e, sliceAlong(e, projected, 0, t, 1), [examples, width]), state);
    results[t] = at(state, 0);
  }
  return { results, state };
}

function checkLengths(node: OnnxNode, time: number): void {
  if (node.has(4) && node.sizes(4).some((length) => length !== time))
    throw node.unsupported('sequences of several lengths', `no sequence_lens, or ${time} for every example`);
}

/** Without its axis of directions. */
function ofDirection(e: Emit, node: OnnxNode, index: number, direction: number): Value {
  const all = node.input(index);
  return reshape(e, sliceAlong(e, all, 0, direction, 1), all.shape.slice(1));
}

function initialState(e: Emit, node: OnnxNode, direction: number, index: number, batchFirst: boolean, shape: Shape): Value {
  if (!node.has(index)) return filled(e, shape, 0);
  const given = node.input(index);
  const all = batchFirst ? transpose(e, given, [1, 0, 2]) : given;
  return reshape(e, sliceAlong(e, all, 0, direction, 1), shape);
}

function weightsOf(e: Emit, node: OnnxNode, cell: Cell, direction: number): Weights {
  const recurrent = ofDirection(e, node, 2, direction);
  const hidden = Number(recurrent.shape[1]);
  const width = cell.gates * hidden;
  const biases = node.has(3) ? ofDirection(e, node, 3, direction) : undefined;
  const names = node.texts('activations') ?? [];
  const count = cell.activations.length;
  const chosen = names.length > 0 ? names.slice(direction * count, (direction + 1) * count) : cell.activations;
  return {
    hidden,
    input: ofDirection(e, node, 1, direction),
    recurrent,
    inputBias: biases && gate(e, biases, 0, width),
    recurrentBias: biases && gate(e, biases, 1, width),
    peepholes: node.has(7) ? ofDirection(e, node, 7, direction) : undefined,
    activations: chosen.map((name) => {
      const activation = known[name.toLowerCase()];
      if (activation === undefined)
        throw node.unsupported(`the activation '${name}' in a recurrent cell`, Object.keys(known).join(', '));
      return activation;
    }),
  };
}
