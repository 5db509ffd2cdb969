import { createRandom } from '../random.js';
import { createHostSpace } from '../host-space.js';
import type { SymmetricOperator } from '../ritz-subspace.js';

/** A symmetric matrix with known eigenvalues: Q diag(values) Qᵀ with Q a product of random reflections. */
export function withSpectrum(values: readonly number[], seed: number): Float64Array[] {
  const n = values.length;
  const random = createRandom(seed);
  const a = values.map((value, i) => Float64Array.from({ length: n }, (_, j) => (i === j ? value : 0)));
  for (let reflection = 0; reflection < Math.min(6, n); reflection++) {
    const u = Float64Array.from({ length: n }, () => random.normal());
    const length2 = u.reduce((s, x) => s + x * x, 0);
    for (const side of [0, 1]) {
      for (let i = 0; i < n; i++) {
        const at = (j: number): number => (side === 0 ? a[i]![j]! : a[j]![i]!);
        let s = 0;
        for (let j = 0; j < n; j++) s += at(j) * u[j]!;
        s *= 2 / length2;
        for (let j = 0; j < n; j++) {
          if (side === 0) a[i]![j]! -= s * u[j]!;
          else a[j]![i]! -= s * u[j]!;
        }
      }
    }
  }
  return a;
}

/** Products of vectors in this process as an operator. */
export function hostOperator(
  size: number,
  multiply: (vectors: readonly Float32Array[]) => readonly Float32Array[],
): SymmetricOperator {
  const space = createHostSpace(size);
  return { space, multiply: async (block) => space.fromHost(multiply(await space.toHost(block))) };
}

/** The matrix as products in double, rounded to float32; counts what it is asked for. */
export function denseOperator(a: readonly Float64Array[]): SymmetricOperator & { readonly asked: () => number } {
  let asked = 0;
  const times = (v: Float32Array): Float32Array => Float32Array.from(a, (row) => row.reduce((s, x, j) => s + x * v[j]!, 0));
  return {
    ...hostOperator(a.length, (vectors) => {
      asked += vectors.length;
      return vectors.map(times);
    }),
    asked: () => asked,
  };
}
