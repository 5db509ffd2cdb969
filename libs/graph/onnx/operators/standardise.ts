/** What all normalisations share. Variances are means of centred squares: E x² − (E x)² loses all its digits in float32. */
import { add, div, mul, reduceMean, reshape, sqrt, sub } from '../../emit.js';
import type { Emit, OnnxNode, Value } from '../../op.js';

export interface Moments {
  readonly mean: Value;
  /** x − mean */
  readonly centred: Value;
  /** Divided by the number of elements, not by one less. */
  readonly variance: Value;
}

/** Over some axes, which stay with size 1. */
export function momentsOf(e: Emit, x: Value, axes: readonly number[]): Moments {
  const mean = reduceMean(e, x, axes, true);
  const centred = sub(e, x, mean);
  return { mean, centred, variance: reduceMean(e, mul(e, centred, centred), axes, true) };
}

/** 1 / √(x + ε) */
export const inverseRoot = (e: Emit, x: Value, epsilon: number): Value =>
  div(e, e.scalar(1), sqrt(e, add(e, x, e.scalar(epsilon))));

/** The axes from `first` on. */
export const axesFrom = (x: Value, first: number): number[] => x.shape.map((_, axis) => axis).slice(first);

/** A vector with one number for each channel (axis 1) of a tensor with this many axes. */
export const perChannel = (e: Emit, vector: Value, rank: number): Value =>
  reshape(e, vector, [1, vector.shape[0] ?? 1, ...Array.from({ length: rank - 2 }, () => 1)]);

/** x ⊙ scale + shift, where the node has them at these places. */
export function scaledAndShifted(e: Emit, node: OnnxNode, x: Value, scale: number, shift?: number): Value {
  const scaled = node.has(scale) ? mul(e, x, node.input(scale)) : x;
  return shift !== undefined && node.has(shift) ? add(e, scaled, node.input(shift)) : scaled;
}
