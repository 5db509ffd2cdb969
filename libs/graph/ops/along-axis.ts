import type { ReferenceTensor } from '../reference-tensor.js';
import { stridesOf } from '../shapes.js';

/** Applies a function to each row along an axis. */
export function alongAxis(x: ReferenceTensor, axis: number, f: (row: number[]) => number[]): Float64Array {
  const length = x.shape[axis] ?? 1;
  const stride = stridesOf(x.shape)[axis] ?? 1;
  const result = new Float64Array(x.data.length);
  for (let start = 0; start < x.data.length; start += length * stride) {
    for (let inner = start; inner < start + stride; inner++) {
      const row = f(Array.from({ length }, (_, i) => x.data[inner + i * stride] ?? Number.NaN));
      row.forEach((value, i) => (result[inner + i * stride] = value));
    }
  }
  return result;
}
