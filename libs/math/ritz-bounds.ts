// Error bounds of Ritz values from residuals, for clustered eigenvalues too: the Schur complement of the projected
// matrix (Parlett, The Symmetric Eigenvalue Problem, 1998, section 10; quadratic residual bounds, Mathias 1998).
//
// With Ritz values Θ of m leading Ritz vectors V, residuals R = HV - VΘ and μ no less than the largest eigenvalue of H on
// the complement of V, every eigenvalue λ > μ satisfies: λ is an eigenvalue of Θ + Rᵀ(λ - M)⁻¹R, hence
//   θᵢ ≤ λᵢ ≤ eigᵢ(Θ + RᵀR / (θᵢ - μ)).
// For m = 1 this is r²/gap. Taking more vectors widens the gap, so a pair that nearly meets can be certified together.
import { symmetricEigen } from './jacobi-eigen.js';

/** μ and the residuals come from a subspace that knows the second eigenvector worse than the first: experience, not theory. */
const margin = 4;

export interface RitzPairs {
  /** Largest first. */
  readonly values: ArrayLike<number>;
  /** Gram matrix of the residual vectors. */
  readonly residualGram: (i: number, j: number) => number;
}

/** The residual norm of pair i. */
export function residualNorm(pairs: RitzPairs, i: number): number {
  return Math.sqrt(Math.max(0, pairs.residualGram(i, i)));
}

/**
 * How far the true eigenvalue can lie above Ritz value i, by the best of the residual norm and the Schur bounds over
 * m = i+1 … `most` leading pairs, the latter times a margin. μ is estimated by the next Ritz value plus its residual norm, so the bound holds as
 * long as the subspace has not missed an eigenvector altogether.
 */
export function ritzBound(pairs: RitzPairs, i: number, most: number): { readonly bound: number; readonly pairsUsed: number } {
  let best = { bound: residualNorm(pairs, i), pairsUsed: i + 1 };
  for (let m = i + 1; m <= Math.min(most, pairs.values.length - 1); m++) {
    const mu = pairs.values[m]! + residualNorm(pairs, m);
    const gap = pairs.values[i]! - mu;
    if (!(gap > 0)) continue;
    const shifted = symmetricEigen(m, (a, b) => (a === b ? pairs.values[a]! : 0) + pairs.residualGram(a, b) / gap);
    const bound = shifted === undefined ? Number.POSITIVE_INFINITY : margin * (shifted.values[i]! - pairs.values[i]!);
    if (bound < best.bound) best = { bound, pairsUsed: m };
  }
  return best;
}
