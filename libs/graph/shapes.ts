import { UnsupportedModel } from './errors.js';
import type { Dim, Shape } from './graph.js';

export const showShape = (shape: Shape): string => `[${shape.join(', ')}]`;

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((dim, axis) => dim === b[axis]);

/** Number of elements; undefined when an axis is free. */
export function sizeOf(shape: Shape): number | undefined {
  let size = 1;
  for (const dim of shape) {
    if (dim === 'batch') return undefined;
    size *= dim;
  }
  return size;
}

/** The free axis takes the number of examples. */
export function resolveShape(shape: Shape, batch: number | undefined): number[] {
  return shape.map((dim) => {
    if (dim !== 'batch') return dim;
    if (batch === undefined) throw new Error(`${showShape(shape)} needs a number of examples, and no input has a free axis`);
    return batch;
  });
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
