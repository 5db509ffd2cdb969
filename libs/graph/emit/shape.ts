/** Functions for the ops that cut, join and pick. */
import { expand, reshape } from '../emit.js';
import type { Dim, Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';
import { mergedDim, showShape } from '../shapes.js';
import { UnsupportedModel } from '../errors.js';

export interface Cut {
  /** Of each axis: the first element that is taken. */
  readonly starts: readonly number[];
  /** How many are taken. */
  readonly sizes: Shape;
  /** How far apart they lie; negative ones go backwards. */
  readonly steps: readonly number[];
}

export const slice = (e: Emit, x: Value, { starts, sizes, steps }: Cut): Value =>
  e.apply('slice', [x], { starts: [...starts], sizes: [...sizes], steps: [...steps] });

/** All of x: where a cut begins. */
export const wholeOf = (shape: Shape): { starts: number[]; sizes: Dim[]; steps: number[] } => ({
  starts: shape.map(() => 0),
  sizes: [...shape],
  steps: shape.map(() => 1),
});

/** `size` elements along one axis, from `start` on. */
export function sliceAlong(e: Emit, x: Value, axis: number, start: number, size: number, step = 1): Value {
  const cut = wholeOf(x.shape);
  cut.starts[axis] = start;
  cut.sizes[axis] = size;
  cut.steps[axis] = step;
  return slice(e, x, cut);
}

/** Zeros of this shape in which x lies where a slice would have taken it from. */
export const unslice = (e: Emit, x: Value, shape: Shape, { starts, steps }: Omit<Cut, 'sizes'>): Value =>
  e.apply('unslice', [x], { shape: [...shape], starts: [...starts], steps: [...steps] });

export const concat = (e: Emit, parts: readonly Value[], axis: number): Value => e.apply('concat', parts, { axis });

/** One number everywhere. */
export const filled = (e: Emit, shape: Shape, value: number, dtype: Value['dtype'] = 'float32'): Value =>
  expand(e, e.constant([], Float64Array.of(value), dtype), shape);

/** The slices of x along `axis` that `indices` (whole numbers of any shape) name; their axes take the place of that axis. */
export const gather = (e: Emit, x: Value, indices: Value, axis: number): Value => e.apply('gather', [x, indices], { axis });

/** Adds slices up at the places along `axis` that `indices` name: `size` of them, zero where nothing comes. */
export const scatterAdd = (e: Emit, updates: Value, indices: Value, axis: number, size: Dim): Value =>
  e.apply('scatterAdd', [updates, indices], { axis, size: [size] });

/** x at `indices` along `axis`, at the same place along the other axes. */
export const gatherElements = (e: Emit, x: Value, indices: Value, axis: number): Value =>
  e.apply('gatherElements', [x, indices], { axis });

/** Adds elements up in zeros of this shape, at the places along `axis` that `indices` name. */
export const scatterElementsAdd = (e: Emit, updates: Value, indices: Value, axis: number, shape: Shape): Value =>
  e.apply('scatterElementsAdd', [updates, indices], { axis, shape: [...shape] });

/** A new last axis with a 1 at each index; an index outside gives zeros. */
export const oneHot = (e: Emit, indices: Value, depth: number): Value => e.apply('oneHot', [indices], { depth });

export interface CumsumOptions {
  readonly exclusive?: boolean;
  readonly reverse?: boolean;
}

export const cumsum = (e: Emit, x: Value, axis: number, { exclusive = false, reverse = false }: CumsumOptions = {}): Value =>
  e.apply('cumsum', [x], { axis, exclusive, reverse });

/** 0, 1, 2 … up to a multiple of the number of examples, as whole numbers. */
export const countingTo = (e: Emit, size: Dim): Value => e.apply('counting', [], { size: [size] });

/** x repeated along each axis. */
export function tile(e: Emit, x: Value, repeats: Shape): Value {
  const pairs = x.shape.flatMap((dim, axis) => (repeats[axis] === 1 ? [dim] : [1, dim]));
  const stretched = x.shape.flatMap((dim, axis) => (repeats[axis] === 1 ? [dim] : [repeats[axis] ?? 1, dim]));
  return reshape(
    e,
    expand(e, reshape(e, x, pairs), stretched),
    x.shape.map((dim, axis) => times(dim, repeats[axis] ?? 1)),
  );
}

function times(dim: Dim, repeats: Dim): Dim {
  const merged = mergedDim([dim, repeats]);
  if (merged === undefined) throw new UnsupportedModel(`An axis of ${showShape([dim])} cannot be repeated ${repeats} times`);
  return merged;
}
