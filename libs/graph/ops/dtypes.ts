import { UnsupportedModel } from '../errors.js';
import type { DType, ValueType } from '../graph.js';
import { at } from '../op.js';
import type { Emit, Value } from '../op.js';

export const dtypeOfFirst = (inputs: readonly ValueType[]): DType => at(inputs, 0).dtype;

/** Of operands that must be of one kind: numbers do not mix with whole numbers without a cast. */
export function commonDtype(inputs: readonly ValueType[]): DType {
  const dtype = dtypeOfFirst(inputs);
  const other = inputs.find((input) => input.dtype !== dtype);
  if (other === undefined) return dtype;
  throw new UnsupportedModel(`A tensor of ${dtype} meets a tensor of ${other.dtype}`, {
    value: other.dtype,
    expected: `${dtype}, or a cast`,
  });
}

/** One number of the kind that `x` holds. */
export const numberLike = (e: Emit, x: Value, value: number): Value => e.constant([], Float64Array.of(value), x.dtype);
