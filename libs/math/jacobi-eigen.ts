import { largest } from './extremes.js';

// Symmetric eigenproblem by cyclic Jacobi rotations: Jacobi 1846; Golub and Van Loan, Matrix Computations (4th ed.), section 8.5.
// Meant for the small projected matrices of a tracker (n up to about 100): it is simple, and accurate to the last bits.

export interface SymmetricEigen {
  /** Algebraically largest first. */
  readonly values: Float64Array;
  /** `vectors[i]` belongs to `values[i]`; orthonormal. */
  readonly vectors: readonly Float64Array[];
}

const maxSweeps = 60;

/**
 * All eigenpairs of the symmetric matrix that `entry(i, j)` describes, of which only the average with its transpose is
 * used. Undefined when an entry is not finite.
 */
export function symmetricEigen(n: number, entry: (i: number, j: number) => number): SymmetricEigen | undefined {
  const a = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (__, j) => (entry(i, j) + entry(j, i)) / 2));
  if (!a.every((row) => row.every(Number.isFinite))) return undefined;
  // Rows of v are the eigenvectors.
  const v = Array.from({ length: n }, (_, i) => Float64Array.from({ length: n }, (__, j) => (i === j ? 1 : 0)));
  const size = largest(
    a.map((row) => largest(row.map(Math.abs))),
    0,
  );
  for (let sweep = 0; sweep < maxSweeps && offDiagonal(a) > Number.EPSILON * size; sweep++) {
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) rotate(a, v, p, q);
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j]![j]! - a[i]![i]!);
  return { values: Float64Array.from(order, (i) => a[i]![i]!), vectors: order.map((i) => v[i]!) };
}

function offDiagonal(a: readonly Float64Array[]): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    for (let j = i + 1; j < a.length; j++) largest = Math.max(largest, Math.abs(a[i]![j]!));
  }
  return largest;
}

/** Makes a[p][q] zero by a rotation in the plane (p, q). */
function rotate(a: readonly Float64Array[], v: readonly Float64Array[], p: number, q: number): void {
  const ap = a[p]!;
  const aq = a[q]!;
  const off = ap[q]!;
  if (off === 0) return;
  const tau = (aq[q]! - ap[p]!) / (2 * off);
  const t = Math.sign(tau || 1) / (Math.abs(tau) + Math.hypot(1, tau));
  const c = 1 / Math.hypot(1, t);
  const s = t * c;
  const turn = (x: Float64Array, y: Float64Array): void => {
    for (let k = 0; k < x.length; k++) {
      const xk = x[k]!;
      const yk = y[k]!;
      x[k] = c * xk - s * yk;
      y[k] = s * xk + c * yk;
    }
  };
  for (const row of a) {
    const rp = row[p]!;
    const rq = row[q]!;
    row[p] = c * rp - s * rq;
    row[q] = s * rp + c * rq;
  }
  turn(ap, aq);
  ap[q] = 0;
  aq[p] = 0;
  turn(v[p]!, v[q]!);
}
