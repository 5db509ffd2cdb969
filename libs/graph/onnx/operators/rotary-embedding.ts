import { add, mul, reshape, sub, transpose } from '../../emit.js';
import { concat, gather, sliceAlong } from '../../emit/shape.js';
import { at } from '../../op.js';
import type { Emit, OnnxReader, Value } from '../../op.js';

/** The pairs that are turned: even and odd places, or the first and the second half. */
function halves(e: Emit, x: Value, interleaved: boolean): [Value, Value] {
  const half = Number(x.shape[3]) / 2;
  return interleaved
    ? [sliceAlong(e, x, 3, 0, half, 2), sliceAlong(e, x, 3, 1, half, 2)]
    : [sliceAlong(e, x, 3, 0, half), sliceAlong(e, x, 3, half, half)];
}

function joined(e: Emit, [a, b]: readonly [Value, Value], interleaved: boolean): Value {
  if (!interleaved) return concat(e, [a, b], 3);
  const apart = (x: Value): Value => reshape(e, x, [...x.shape, 1]);
  return reshape(e, concat(e, [apart(a), apart(b)], 4), [...a.shape.slice(0, 3), 2 * Number(a.shape[3])]);
}

/** Turns pairs of numbers by angles that grow with the position. Inputs: x, cosines, sines, positions. */
export const rotaryEmbedding: OnnxReader = (e, node) => {
  const given = node.input(0);
  const heads = node.int('num_heads', 0);
  const flat = given.shape.length === 3;
  // [batch, time, heads, width]
  const x = flat
    ? reshape(e, given, [at(given.shape, 0), at(given.shape, 1), heads, Number(given.shape[2]) / heads])
    : transpose(e, given, [0, 2, 1, 3]);
  const width = Number(x.shape[3]);
  const turned = node.int('rotary_embedding_dim', 0) || width;
  const angles = (index: number): Value => {
    const table = node.has(3) ? gather(e, node.input(index), node.input(3), 0) : node.input(index);
    return reshape(e, table, [...table.shape.slice(0, -1), 1, turned / 2]);
  };
  const [cos, sin] = [angles(1), angles(2)];
  const interleaved = node.int('interleaved', 0) === 1;
  const [a, b] = halves(e, sliceAlong(e, x, 3, 0, turned), interleaved);
  const real = sub(e, mul(e, cos, a), mul(e, sin, b));
  const imaginary = add(e, mul(e, sin, a), mul(e, cos, b));
  const rotated = joined(e, [real, imaginary], interleaved);
  const whole = turned === width ? rotated : concat(e, [rotated, sliceAlong(e, x, 3, turned, width - turned)], 3);
  return flat ? reshape(e, whole, given.shape) : transpose(e, whole, [0, 2, 1, 3]);
};
