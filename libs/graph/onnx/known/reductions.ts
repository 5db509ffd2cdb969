/** Sums, products and extremes of known tensors. */
import type { Dim } from '../../graph.js';
import { walk } from '../../reference-tensor.js';
import { normalizeAxis, stridesOf } from '../../shapes.js';
import { STEPS_PER_ELEMENT } from '../../work-budget.js';
import { known, roomFor } from './known.js';
import type { KnownNode, Rule } from './rule.js';
import { divided, larger, plus, smaller, times } from './symbols.js';

/** Axes are an input since opset 13 or 18, and an attribute before. */
function axesOf(node: KnownNode, rank: number): readonly number[] {
  const given = node.has(1) ? (node.operand(1).data as readonly number[]) : node.ints('axes');
  if (given === undefined || given.length === 0) {
    return node.int('noop_with_empty_axes', 0) === 1 ? [] : Array.from({ length: rank }, (_, axis) => axis);
  }
  return given.map((axis) => normalizeAxis(axis, rank));
}

const reduction =
  (f: (a: Dim, b: Dim) => Dim, empty: number, finish = (sum: Dim, _count: number): Dim => sum): Rule =>
  (node) => {
    const { dtype, shape, data } = node.operand(0);
    roomFor(node.work, shape, STEPS_PER_ELEMENT);
    const axes = axesOf(node, shape.length);
    const kept = shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
    const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
    const size = kept.reduce((product, dim) => product * dim, 1);
    const results: (Dim | undefined)[] = Array.from({ length: size }, () => undefined);
    walk(shape, strides).forEach((offset, i) => {
      const [before, next] = [results[offset], data[i] ?? Number.NaN];
      results[offset] = before === undefined ? next : f(before, next);
    });
    const count = data.length / Math.max(1, size);
    const dims = node.int('keepdims', 1) === 1 ? kept : shape.filter((_, axis) => !axes.includes(axis));
    return known(
      dtype,
      dims,
      results.map((result) => finish(result ?? empty, count)),
    );
  };

export const reductionRules: Readonly<Record<string, Rule>> = {
  ReduceMax: reduction(larger, -Infinity),
  ReduceMean: reduction(plus, 0, (sum, count) => divided(sum, count, false)),
  ReduceMin: reduction(smaller, Infinity),
  ReduceProd: reduction(times, 1),
  ReduceSum: reduction(plus, 0),
};
