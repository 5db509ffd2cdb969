/** Transposes for ONNX Runtime 1.30, which moves four or more axes at once one number at a time. */
import type { Shape } from '../graph.js';
import { at, axesAttribute } from '../op.js';
import type { OnnxWriter, WrittenNode } from '../op.js';
import { freeAxes, isFree, mergedDim } from '../shapes.js';

/** Shorter rows are not worth a step of their own. */
const SHORTEST_ROW = 16;
const FEWEST_ROWS = 64;

/** How many axes go from the front to the back, all others keeping their order: [a, b, c, d] → [c, d, a, b] is 2. */
function turnedBy(permutation: readonly number[]): number {
  const rank = permutation.length;
  const first = permutation[0] ?? 0;
  return permutation.every((axis, i) => axis === (i + first) % rank) ? first : 0;
}

/** Sizes for a reshape: one free axis is what remains. */
const sizes = (shape: Shape): number[] => shape.map((dim) => (isFree(dim) ? -1 : dim));

/**
 * A rotation of axes is a transposed matrix. Where rows are long, it is two steps, each of which stays near: numbers within
 * the blocks of one axis, then whole rows. (64, 64, 32, 32) → (32, 32, 64, 64): 42 ms as it is, 13 as a matrix, 7.5 so.
 */
export function writeTranspose(writer: OnnxWriter, node: WrittenNode): void {
  const permutation = axesAttribute(node.attributes, 'permutation');
  const { shape } = at(node.inputTypes, 0);
  const count = turnedBy(permutation);
  const [front, back] = [shape.slice(0, count), shape.slice(count)];
  const [rows, columns] = [mergedDim(front), mergedDim(back)];
  if (count === 0 || shape.length < 3 || freeAxes(shape) > 1 || rows === undefined || columns === undefined) {
    writer.node('Transpose', node.inputs, { perm: { ints: permutation } }, node.output);
    return;
  }
  const reshaped = (name: string, to: Shape): string => writer.node('Reshape', [name, writer.int64s(sizes(to))]);
  const moved = (name: string, perm: readonly number[]): string => writer.node('Transpose', [name], { perm: { ints: perm } });
  const x = at(node.inputs, 0);
  const done = (name: string): void =>
    void writer.node('Reshape', [name, writer.int64s(sizes(permutation.map((axis) => at(shape, axis))))], {}, node.output);
  // The last axis of a group stays a row of its own.
  const [lastFront, lastBack] = [front.at(-1), back.at(-1)];
  const [restFront, restBack] = [mergedDim(front.slice(0, -1)), mergedDim(back.slice(0, -1))];
  if (front.length > 1 && isLong(lastFront, columns) && restFront !== undefined) {
    const near = moved(reshaped(x, [restFront, lastFront ?? 1, columns]), [0, 2, 1]);
    return done(moved(near, [1, 0, 2]));
  }
  if (back.length > 1 && isLong(lastBack, rows) && restBack !== undefined) {
    const near = moved(reshaped(x, [rows, restBack, lastBack ?? 1]), [1, 0, 2]);
    return done(moved(near, [0, 2, 1]));
  }
  done(moved(reshaped(x, [rows, columns]), [1, 0]));
}

const isLong = (row: Shape[number] | undefined, others: Shape[number]): boolean =>
  typeof row === 'number' && row >= SHORTEST_ROW && (isFree(others) || others >= FEWEST_ROWS);
