// Classical Gram-Schmidt with a second pass where the first one cancelled: Daniel, Gragg, Kaufman and Stewart 1976
// ("Reorthogonalization and stable algorithms ..."); twice is enough, Parlett 1998, section 6.9.
import { addCombination, dots, norm, scale } from './vectors.js';

/** A component of a unit vector below this is not worth a pass over memory: eigenvalues move by less than this share. */
const orthogonalBelow = 2e-7;
/** What is left of a float32 vector below this share of its length is rounding. */
const dependentBelow = 1e-6;

/**
 * A unit vector along the part of `candidate` that is orthogonal to the orthonormal `basis`, in a new array. Undefined
 * when nothing but rounding is left, or when the candidate is zero or not finite.
 */
export function orthonormalPart(candidate: Float32Array, basis: readonly Float32Array[]): Float32Array | undefined {
  const length = norm(candidate);
  if (!(length > 0) || !Number.isFinite(length)) return undefined;
  const out = Float32Array.from(candidate);
  scale(out, 1 / length);
  let before = 1;
  // Three passes only ever happen when the candidate lies in the span of the basis.
  for (let pass = 0; pass < 3; pass++) {
    const along = dots(basis, out);
    if (along.every((x) => Math.abs(x) < orthogonalBelow * before)) break;
    addCombination(
      out,
      basis,
      along.map((x) => -x),
    );
    const after = norm(out);
    if (!(after > dependentBelow)) return undefined;
    if (after > 0.7 * before) break;
    before = after;
  }
  scale(out, 1 / norm(out));
  return out;
}

/** An orthonormal basis of what the candidates add to the span of `basis`, in their order; dependent ones are left out. */
export function orthonormalBlock(candidates: readonly Float32Array[], basis: readonly Float32Array[] = []): Float32Array[] {
  const added: Float32Array[] = [];
  for (const candidate of candidates) {
    const part = orthonormalPart(candidate, [...basis, ...added]);
    if (part !== undefined) added.push(part);
  }
  return added;
}
