/** The derivative of a split is a sum of its parts, each with zeros around it: that is their concatenation. */
import { add } from '../emit.js';
import { concat, filled, unslice } from '../emit/shape.js';
import { at, axesAttribute } from '../op.js';
import type { Emit, Value } from '../op.js';
import { sameShape } from '../shapes.js';
import { constantNumber, madeBy } from './patterns.js';

interface Part {
  readonly start: number;
  readonly size: number;
  /** Absent for zeros. */
  readonly value?: Value;
}

interface Placed {
  readonly axis: number;
  readonly parts: readonly Part[];
}

const isZero = (value: Value): boolean => {
  const number = madeBy(value, 'expand')?.inputs[0];
  return number !== undefined && constantNumber(number) === 0;
};

/** What lies where along the one axis that has zeros around it. */
function placed(value: Value): Placed | undefined {
  const made = madeBy(value, 'unslice');
  if (made === undefined) return undefined;
  const inner = at(made.inputs, 0);
  const [axis, ...others] = inner.shape.flatMap((dim, i) => (dim === value.shape[i] ? [] : [i]));
  if (axis === undefined || others.length > 0) return undefined;
  if (axesAttribute(made.attributes, 'steps').some((step) => step !== 1)) return undefined;
  const joined = madeBy(inner, 'concat');
  const values = joined?.attributes['axis'] === axis ? joined.inputs : [inner];
  let start = at(axesAttribute(made.attributes, 'starts'), axis);
  const parts = values.map((part): Part => {
    const size = Number(part.shape[axis]);
    start += size;
    return isZero(part) ? { start: start - size, size } : { start: start - size, size, value: part };
  });
  return { axis, parts: parts.filter((part) => part.value !== undefined) };
}

/** The sum of two such values as one, where they do not overlap. */
function together(e: Emit, a: Value, b: Value): Value | undefined {
  if (!sameShape(a.shape, b.shape)) return undefined;
  const [first, second] = [placed(a), placed(b)];
  if (first === undefined || second === undefined || first.axis !== second.axis) return undefined;
  const { axis } = first;
  const parts = [...first.parts, ...second.parts].sort((x, y) => x.start - y.start);
  const from = parts[0]?.start ?? 0;
  let end = from;
  const values: Value[] = [];
  for (const { start, size, value } of parts) {
    if (start < end) return undefined;
    const zeros = a.shape.map((dim, i) => (i === axis ? start - end : dim));
    if (start > end) values.push(filled(e, zeros, 0));
    if (value !== undefined) values.push(value);
    end = start + size;
  }
  return unslice(e, concat(e, values, axis), a.shape, {
    starts: a.shape.map((_, i) => (i === axis ? from : 0)),
    steps: a.shape.map(() => 1),
  });
}

/** a + b where both have zeros around them, also where one of them has been added to something else already. */
export function joined(e: Emit, a: Value, b: Value): Value | undefined {
  const both = together(e, a, b);
  if (both !== undefined) return both;
  for (const [sum, part] of [
    [a, b],
    [b, a],
  ] as const) {
    const terms = madeBy(part, 'unslice') && madeBy(sum, 'add')?.inputs;
    for (const [i, term] of terms?.entries() ?? []) {
      const rest = terms?.[1 - i];
      const merged = rest && together(e, term, part);
      if (rest !== undefined && merged !== undefined) return add(e, rest, merged);
    }
  }
  return undefined;
}
