import { stridesOf } from './shapes.js';

/** A tensor of the float64 reference interpreter, row-major. */
export interface ReferenceTensor {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export const elements = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

export function referenceTensor(shape: readonly number[], data: ArrayLike<number>): ReferenceTensor {
  if (data.length !== elements(shape))
    throw new Error(`${data.length} numbers do not fill a tensor of shape [${shape.join(', ')}]`);
  return { shape: [...shape], data: Float64Array.from(data) };
}

/** As the interpreter computes; what is so already is not copied, and nobody writes to it. */
export const inDouble = (data: ArrayLike<number>): Float64Array => (data instanceof Float64Array ? data : new Float64Array(data));

/** A number for each offset. (`Float64Array.from` goes through an iterator and takes ten times as long.) */
export function forEachOffset(offsets: Int32Array, f: (offset: number, place: number) => number): Float64Array {
  const result = new Float64Array(offsets.length);
  for (let i = 0; i < offsets.length; i++) result[i] = f(offsets[i] ?? 0, i);
  return result;
}

/** Numbers as a plain list, for the same reason not by `Array.from`. */
export function listed(data: ArrayLike<number>): number[] {
  const list: number[] = [];
  for (let i = 0; i < data.length; i++) list.push(data[i] ?? Number.NaN);
  return list;
}

/**
 * For each element of a tensor of shape `to`, in order, the offset of the element of a tensor of shape `from` that
 * broadcasting puts there.
 */
export function broadcastOffsets(from: readonly number[], to: readonly number[]): Int32Array {
  const strides = stridesOf(from);
  const skipped = to.length - from.length;
  const steps = to.map((_, axis) => (axis < skipped || from[axis - skipped] === 1 ? 0 : (strides[axis - skipped] ?? 0)));
  return walk(to, steps);
}

/** Offsets that are visited when the axes of `shape` are counted through with these steps, the last axis fastest. */
export function walk(shape: readonly number[], steps: readonly number[]): Int32Array {
  const offsets = new Int32Array(elements(shape));
  const index = Array.from({ length: shape.length }, () => 0);
  let offset = 0;
  for (let position = 0; position < offsets.length; position++) {
    offsets[position] = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      offset += steps[axis] ?? 0;
      if (next < (shape[axis] ?? 1)) {
        index[axis] = next;
        break;
      }
      offset -= next * (steps[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return offsets;
}
