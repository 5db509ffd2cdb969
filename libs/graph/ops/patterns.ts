/** What simplification rules look for in a value. */
import type { Attributes } from '../graph.js';
import type { Emit, Source, Value } from '../op.js';
import { broadcastShapes, sameShape } from '../shapes.js';

type Application = Extract<Source, { kind: 'op' }>;

/** How the value was made, when this op made it. */
export const madeBy = (value: Value, op: string): Application | undefined =>
  value.source.kind === 'op' && value.source.op === op ? value.source : undefined;

/** The first operand of the op that made the value, when it was this op. */
export const operandOf = (value: Value, op: string): Value | undefined => madeBy(value, op)?.inputs[0];

/** The number in a constant of one element, whatever its rank. */
export function constantNumber(value: Value): number | undefined {
  return value.source.kind === 'constant' && value.source.data.length === 1 ? value.source.data[0] : undefined;
}

/** x = rest × factor, when it was made so. */
export function multipleOf(x: Value): { readonly rest: Value; readonly factor: number } | undefined {
  const product = madeBy(x, 'mul');
  for (const [i, operand] of product?.inputs.entries() ?? []) {
    const factor = constantNumber(operand);
    const rest = product?.inputs[1 - i];
    if (factor !== undefined && rest !== undefined && keepsShape(rest, operand)) return { rest, factor };
  }
  return undefined;
}

/** True when combining both by broadcasting gives a tensor of the shape of `value`. */
export function keepsShape(value: Value, other: Value): boolean {
  return sameShape(broadcastShapes(value.shape, other.shape), value.shape);
}

/**
 * An elementwise op need not see what was stretched: f(expand a, b) = f(a, b) where b has the full shape anyway, and
 * f(expand a, expand b) = expand f(a, b).
 */
export function withoutExpand(e: Emit, op: string, inputs: readonly Value[], attributes: Attributes = {}): Value | undefined {
  const [a, b] = inputs;
  if (a === undefined) return undefined;
  const smallA = operandOf(a, 'expand');
  if (b === undefined) return smallA && e.apply('expand', [e.apply(op, [smallA], attributes)], { shape: a.shape });
  const smallB = operandOf(b, 'expand');
  if (smallA === undefined && smallB === undefined) return undefined;
  const shape = broadcastShapes(a.shape, b.shape);
  const small = e.apply(op, [smallA ?? a, smallB ?? b], attributes);
  return sameShape(small.shape, shape) ? small : e.apply('expand', [small], { shape });
}
