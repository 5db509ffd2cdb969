import { UnsupportedModel } from './errors.js';
import type { Dim, FreeDim, Shape } from './graph.js';

export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, axis) => dim === b[axis]);

export const isFree = (dim: Dim | undefined): dim is FreeDim => typeof dim === 'string';

/** A free axis is the number of examples times this; a fixed axis is its own factor. */
export const factorOf = (dim: Dim): number => (typeof dim === 'number' ? dim : dim === 'batch' ? 1 : Number(dim.slice(6)));

export const freeDim = (factor: number): FreeDim => (factor === 1 ? 'batch' : `batch*${factor}`);

/** The size of these axes as one: a fixed number, times the number of examples once for each free axis. */
export const fixedSize = (shape: Shape): number => shape.reduce<number>((size, dim) => size * factorOf(dim), 1);
export const freeAxes = (shape: Shape): number => shape.filter(isFree).length;

/** These axes as one; undefined where two of them are free. */
export function mergedDim(shape: Shape): Dim | undefined {
  const free = freeAxes(shape);
  if (free > 1) return undefined;
  return free === 1 ? freeDim(fixedSize(shape)) : fixedSize(shape);
}

/** Number of elements; undefined when an axis is free. */
export const sizeOf = (shape: Shape): number | undefined => (shape.some(isFree) ? undefined : fixedSize(shape));

/** Number of elements, with so many examples. */
export const elementsOf = (shape: Shape, examples: number): number => fixedSize(shape) * examples ** freeAxes(shape);

/** Where a choice depends on the number of examples and must be made without it. */
export const nominalExamples = 256;

/** The free axis takes the number of examples. */
export function resolveShape(shape: Shape, batch: number | undefined): number[] {
  return shape.map((dim) => {
    if (!isFree(dim)) return dim;
    if (batch === undefined) throw new Error(`${showShape(shape)} needs a number of examples, and no input has a free axis`);
    return batch * factorOf(dim);
  });
}

/** The number of examples that makes `given` of `shape`; undefined when no axis is free. */
export function examplesOf(shape: Shape, given: readonly number[]): number | undefined {
  const axis = shape.findIndex(isFree);
  return axis < 0 ? undefined : (given[axis] ?? Number.NaN) / factorOf(shape[axis] ?? 1);
}

function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === b || b === 1) return a;
  return a === 1 ? b : undefined;
}

/** NumPy's rule: align at the right, an axis of size 1 stretches. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const dim = broadcastDim(a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1);
    if (dim === undefined) {
      throw new UnsupportedModel(`Shapes ${showShape(a)} and ${showShape(b)} do not fit together`, {
        value: showShape(b),
        expected: `a shape that broadcasts with ${showShape(a)}`,
      });
    }
    return dim;
  });
}

/** True when `shape` broadcasts to exactly `target`. */
export function broadcastsTo(shape: Shape, target: Shape): boolean {
  if (shape.length > target.length) return false;
  const offset = target.length - shape.length;
  return shape.every((dim, axis) => dim === 1 || dim === target[axis + offset]);
}

/** Counts a negative axis from the end. */
export function normalizeAxis(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(index) || index < 0 || index >= rank) {
    throw new UnsupportedModel(`Axis ${axis} does not exist in a tensor of ${rank} axes`, {
      value: String(axis),
      expected: `an axis from ${-rank} to ${rank - 1}`,
    });
  }
  return index;
}

export function stridesOf(shape: readonly number[]): number[] {
  const strides = Array.from({ length: shape.length }, () => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = (strides[axis + 1] ?? 1) * (shape[axis + 1] ?? 1);
  return strides;
}
