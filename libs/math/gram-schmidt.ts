// Classical Gram-Schmidt with a second pass where the first one cancelled: Daniel, Gragg, Kaufman and Stewart 1976
// ("Reorthogonalization and stable algorithms ..."); twice is enough, Parlett 1998, section 6.9.
import { diagonal, type Block, type Term, type VectorSpace } from './vector-space.js';

/** A component of a unit vector below this is not worth a pass over memory: eigenvalues move by less than this share. */
const orthogonalBelow = 2e-7;
/** What is left of a float32 vector below this share of its length is rounding. */
const dependentBelow = 1e-6;
/** Lengths whose squares are safe in float32 inside a sum over many pieces. */
const safeLengths = [1e-12, 1e12] as const;

/**
 * A unit vector along the part of `candidate` (one vector) that is orthogonal to the orthonormal vectors of `basis`, in a
 * new block. Undefined when nothing but rounding is left, or when the candidate is zero or not finite.
 */
export async function orthonormalPart(space: VectorSpace, candidate: Block, basis: Block): Promise<Block | undefined> {
  let length = await lengthOf(space, candidate);
  if (!(length > 0) || !Number.isFinite(length)) return undefined;
  const outside = length < safeLengths[0] || length > safeLengths[1];
  let out = outside ? await scaled(space, candidate, 1 / length) : await space.join([candidate]);
  if (outside) length = await lengthOf(space, out);
  let left = 1;
  // Three passes only ever happen when the candidate lies in the span of the basis.
  for (let pass = 0; pass < 3 && basis.count > 0; pass++) {
    const along = (await space.gram(basis, out)).map((row) => row[0]! / length);
    if (along.every((x) => Math.abs(x) < orthogonalBelow)) break;
    const removed: Term = { block: basis, coefficients: [along.map((x) => -x)] };
    out = await replaced(space, out, space.combine([{ block: out, coefficients: diagonal(1, 1 / length) }, removed]));
    // Of what was a unit vector before this pass.
    length = await lengthOf(space, out);
    left *= length;
    if (!(left > dependentBelow)) {
      space.release(out);
      return undefined;
    }
    if (length > 0.7) break;
  }
  return replaced(space, out, scaled(space, out, 1 / length));
}

/** An orthonormal basis of what the candidates add to the span of `basis`, in their order; dependent ones are left out. */
export async function orthonormalBlock(
  space: VectorSpace,
  candidates: Block,
  basis?: Block,
  most = candidates.count,
): Promise<Block> {
  let added = await space.join([]);
  let all = await space.join(basis === undefined ? [] : [basis]);
  for (let i = 0; i < candidates.count && added.count < most; i++) {
    const candidate = await space.select(candidates, [i]);
    const part = await orthonormalPart(space, candidate, all);
    space.release(candidate);
    if (part === undefined) continue;
    added = await replaced(space, added, space.join([added, part]));
    all = await replaced(space, all, space.join([all, part]));
    space.release(part);
  }
  space.release(all);
  return added;
}

const lengthOf = async (space: VectorSpace, vector: Block): Promise<number> => (await space.norms(vector))[0]!;

const scaled = (space: VectorSpace, vector: Block, factor: number): Promise<Block> =>
  space.combine([{ block: vector, coefficients: diagonal(1, factor) }]);

async function replaced(space: VectorSpace, old: Block, made: Promise<Block>): Promise<Block> {
  const block = await made;
  space.release(old);
  return block;
}
