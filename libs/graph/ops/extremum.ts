/** The larger or the smaller of two. At a tie each gets half of the derivative, as in PyTorch; NaN goes through. */
import { addIfAny, mul } from '../emit.js';
import { equal, less, where } from '../emit/elementwise.js';
import { at } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { binary } from './binary.js';
import { eachOf } from './variadic.js';

interface Extremum {
  readonly name: string;
  readonly onnx: string;
  readonly tfjs: (tf: TfjsOps, a: TfjsTensor, b: TfjsTensor) => TfjsTensor;
  readonly f: (a: number, b: number) => number;
  /** Whether the first loses to the second. */
  readonly loses: (e: Emit, mine: Value, other: Value) => Value;
}

export function extremum({ name, onnx, tfjs, f, loses }: Extremum): OpDefinition {
  const partOf = (e: Emit, d: Value, mine: Value, other: Value): Value =>
    where(e, loses(e, mine, other), e.scalar(0), where(e, equal(e, mine, other), mul(e, d, e.scalar(0.5)), d));
  const base = binary({
    name,
    onnx,
    tfjs,
    commutative: true,
    f,
    backward: [
      (e, { inputs }, cotangent) => partOf(e, cotangent, at(inputs, 0), at(inputs, 1)),
      (e, { inputs }, cotangent) => partOf(e, cotangent, at(inputs, 1), at(inputs, 0)),
    ],
    forward: (e, { inputs }, [a, b]) =>
      addIfAny(e, a && partOf(e, a, at(inputs, 0), at(inputs, 1)), b && partOf(e, b, at(inputs, 1), at(inputs, 0))),
    simplify: (_e, a, b) => (a === b ? a : undefined),
  });
  return { ...base, onnx: { ...base.onnx, read: { [onnx]: (e, node) => eachOf(node).reduce((a, b) => e.apply(name, [a, b])) } } };
}

/** a < b, and a > b as b < a. */
export const isLess = (e: Emit, a: Value, b: Value): Value => less(e, a, b);
export const isGreater = (e: Emit, a: Value, b: Value): Value => less(e, b, a);
