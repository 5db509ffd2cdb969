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
