import { describe, expect, it } from 'vitest';
import { symmetricEigen } from './jacobi-eigen.js';
import { createRandom } from './random.js';

function randomSymmetric(n: number, seed: number): number[][] {
  const random = createRandom(seed);
  const a = Array.from({ length: n }, () => Array.from({ length: n }, () => random.normal()));
  return a.map((row, i) => row.map((x, j) => (x + a[j]![i]!) / 2));
}

describe('symmetricEigen', () => {
  it('solves the second difference matrix in closed form', () => {
    const n = 20;
    const { values } = symmetricEigen(n, (i, j) => (i === j ? 2 : Math.abs(i - j) === 1 ? -1 : 0))!;
    for (let k = 0; k < n; k++) expect(values[k]).toBeCloseTo(2 - 2 * Math.cos(((n - k) * Math.PI) / (n + 1)), 13);
  });

  it.each([1, 2, 3, 17, 60])('gives orthonormal eigenvectors for n = %i', (n) => {
    const a = randomSymmetric(n, n);
    const { values, vectors } = symmetricEigen(n, (i, j) => a[i]![j]!)!;
    for (let k = 0; k < n; k++) {
      expect(values[k]!).toBeLessThanOrEqual(values[k - 1] ?? Number.POSITIVE_INFINITY);
      for (let i = 0; i < n; i++) {
        const product = a[i]!.reduce((s, x, j) => s + x * vectors[k]![j]!, 0);
        expect(Math.abs(product - values[k]! * vectors[k]![i]!)).toBeLessThan(1e-12 * n);
      }
      for (let l = 0; l < n; l++) {
        const inner = vectors[k]!.reduce((s, x, j) => s + x * vectors[l]![j]!, 0);
        expect(Math.abs(inner - (k === l ? 1 : 0))).toBeLessThan(1e-13 * n);
      }
    }
  });

  it.each([1e-300, 1e-30, 1e30, 1e150])('does not depend on the scale %d', (scale) => {
    const a = randomSymmetric(8, 3);
    const plain = symmetricEigen(8, (i, j) => a[i]![j]!)!;
    const scaled = symmetricEigen(8, (i, j) => scale * a[i]![j]!)!;
    for (let k = 0; k < 8; k++) expect(scaled.values[k]! / scale).toBeCloseTo(plain.values[k]!, 12);
  });

  it('handles multiple eigenvalues, zero and empty matrices', () => {
    expect(Array.from(symmetricEigen(5, (i, j) => (i === j ? 3 : 0))!.values)).toEqual([3, 3, 3, 3, 3]);
    expect(Array.from(symmetricEigen(3, () => 0)!.values)).toEqual([0, 0, 0]);
    expect(symmetricEigen(0, () => 0)!.values).toHaveLength(0);
    expect(Array.from(symmetricEigen(3, () => 1)!.values, (x) => Math.abs(Math.round(x * 1e12) / 1e12))).toEqual([3, 0, 0]);
  });

  it('answers undefined when an entry is not finite', () => {
    expect(symmetricEigen(2, (i) => (i === 0 ? Number.NaN : 1))).toBeUndefined();
    expect(symmetricEigen(2, () => Number.POSITIVE_INFINITY)).toBeUndefined();
  });
});
