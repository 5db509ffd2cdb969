/**
 * A query that may see no key has a row of −∞, whose softmax is 0 / 0. By convention it gives zeros; so that derivatives are
 * zeros too, and not NaN, the row must not reach the softmax.
 */
import { softmax } from '../../emit.js';
import { equal, isNaN, or, where } from '../../emit/elementwise.js';
import { reduceMax } from '../../emit/reductions.js';
import { numberAttribute } from '../../op.js';
import type { Emit, Value } from '../../op.js';
import { constantNumber, madeBy } from '../../ops/patterns.js';

/** Rows of −∞ alone, and the softmax of the others. */
function apart(e: Emit, scores: Value, axis: number): { readonly blind: Value; readonly weights: Value } {
  const blind = equal(e, reduceMax(e, scores, [axis], true), e.scalar(-Infinity));
  return { blind, weights: softmax(e, where(e, blind, e.scalar(0), scores), axis) };
}

export function guardedSoftmax(e: Emit, scores: Value, axis: number): Value {
  const { blind, weights } = apart(e, scores, axis);
  return where(e, blind, e.scalar(0), weights);
}

/** PyTorch's exporters write `where(isNaN(softmax x), 0, softmax x)`: the same value, with derivatives. */
export function guardedChoice(e: Emit, condition: Value, a: Value, b: Value): Value {
  const source = madeBy(b, 'softmax');
  const [scores] = source?.inputs ?? [];
  if (source === undefined || scores === undefined || constantNumber(a) !== 0 || isNaN(e, b) !== condition) {
    return where(e, condition, a, b);
  }
  const { blind, weights } = apart(e, scores, numberAttribute(source.attributes, 'axis'));
  return where(e, or(e, blind, isNaN(e, weights)), a, weights);
}
