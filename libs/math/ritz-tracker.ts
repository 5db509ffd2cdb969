// The algebraically largest eigenvalues of a large symmetric operator, cold or from the last measurement's vectors:
// Rayleigh-Ritz on a subspace that grows by residuals (block Davidson without a preconditioner; from one start vector it
// is the Lanczos method, 1950), thick restart (Wu and Simon 2000), stopped on the error of the eigenvalue and not on the
// residual (Parlett 1998, section 10). Warm starts follow a changing operator: few products when it has changed little.
import { createRandom } from './random.js';
import { residualNorm, ritzBound, type RitzPairs } from './ritz-bounds.js';
import { RitzSubspace, type RitzView, type SymmetricOperator } from './ritz-subspace.js';
import type { Block, VectorSpace } from './vector-space.js';
import { isFiniteVector, norm } from './vectors.js';

/** What is kept between two measurements: plain data. */
export interface RitzState {
  /** Orthonormal, best first. */
  readonly vectors: readonly Float32Array[];
}

export interface TrackOptions {
  /** Ritz vectors to keep and report (4). More are kept while eigenvalues exceed `followAbove`. */
  readonly keep?: number;
  /** How many leading eigenvalues must meet the tolerance (1). */
  readonly converge?: number;
  /** Of the eigenvalue, relative to it (1e-3). */
  readonly relativeTolerance?: number;
  /** Every eigenvalue above this is to be kept, with one more below, up to half of `maxBasis`. */
  readonly followAbove?: number;
  /** Further directions to begin with, such as the gradient; each costs a product. */
  readonly guides?: readonly Float32Array[];
  readonly maxProducts?: number;
  /** Vectors held at once, each with its product, before a thick restart (16). */
  readonly maxBasis?: number;
  /** Of the random vectors of a cold start. */
  readonly seed?: number;
}

export interface TopEigenpairs {
  readonly kind: 'found';
  /** Largest first. */
  readonly values: readonly number[];
  /** Orthonormal, one for each value. */
  readonly vectors: readonly Float32Array[];
  /** ‖Hv - λv‖. */
  readonly residuals: readonly number[];
  /** Of the error of each value. */
  readonly bounds: readonly number[];
  readonly products: number;
  /** False when `maxProducts` were spent first; the bounds still say how far it came. */
  readonly converged: boolean;
}

export type TrackResult = TopEigenpairs | { readonly kind: 'not finite'; readonly products: number };

/**
 * Products in float32 carry rounding of about 1e-6 of the largest eigenvalue, and inner products that are taken in float32
 * within pieces of a vector as much again. It comes on top of every bound. Beside Lanczos in float64 on a PyTorch job, the
 * farthest of a hundred values was off by 4.4e-6: a bound without room for that is none.
 */
const rounding = 5e-6;
/** Relative to the largest |Ritz value|: below this share an eigenvalue counts as this share when tolerances are applied. */
const smallShare = 1e-2;
/**
 * Multiples of the tolerance that the leading pairs of a cold start must meet. A mixture of close eigenvectors has a small
 * residual long before it separates; the pairs behind it converge later, and by then it has.
 */
const coldSlack = [1, 3, 30, 100];

/** Finds the top of the spectrum. A product that is not finite ends the search with a value, never with a hang. */
export async function trackTop(
  operator: SymmetricOperator,
  options: TrackOptions = {},
  previous?: RitzState,
): Promise<TrackResult> {
  const { size } = operator.space;
  const keep = Math.min(options.keep ?? 4, size);
  const maxBasis = Math.min(size, Math.max(options.maxBasis ?? 16, 2 * keep + 2));
  const maxProducts = options.maxProducts ?? 200;
  const tolerance = options.relativeTolerance ?? 1e-3;
  const random = createRandom(options.seed ?? 0x5eed);

  const usable = (previous?.vectors ?? []).filter((v) => v.length === size && norm(v) > 0 && isFiniteVector(v));
  const demands = Array.from({ length: keep }, (_, i) =>
    i < (options.converge ?? 1) ? 1 : usable.length === 0 ? coldSlack[i] : undefined,
  );
  const slack = demands.filter((d) => d !== undefined);
  const wanted: Wanted = { keep, slack, tolerance, above: options.followAbove, most: Math.floor(maxBasis / 2) };
  const subspace = await RitzSubspace.create(operator);
  const extend = async (block: Promise<Block>): Promise<boolean> => {
    const candidates = await block;
    const finite = await subspace.extend(candidates, random);
    operator.space.release(candidates);
    return finite;
  };
  try {
    // A block, and not one vector: from one, a mixture of two close eigenvectors looks like a converged one.
    const known = [...usable, ...(options.guides ?? [])];
    const start = startBlock(operator.space, known, () => operator.space.normal(usable.length === 0 ? keep : 0, random));
    if (!(await extend(start))) return { kind: 'not finite', products: subspace.products };
    for (;;) {
      const view = subspace.view();
      if (view === undefined) return { kind: 'not finite', products: subspace.products };
      const state = judge(view.pairs, wanted, subspace.complete);
      if (state.worst === undefined || subspace.products >= maxProducts) return await report(subspace, view, state);
      const direction = await subspace.residual(view, state.worst);
      // A restart keeps a few vectors more than are reported: they carry most of what the discarded ones knew.
      if (subspace.size >= maxBasis) await subspace.restart(view, Math.min(state.bounds.length + 4, maxBasis - 1));
      if (!(await extend(Promise.resolve(direction)))) return { kind: 'not finite', products: subspace.products };
    }
  } finally {
    subspace.close();
  }
}

async function startBlock(space: VectorSpace, known: readonly Float32Array[], guesses: () => Promise<Block>): Promise<Block> {
  const parts = [await space.fromHost(known), await guesses()];
  const start = await space.join(parts);
  for (const part of parts) space.release(part);
  return start;
}

interface Wanted {
  readonly keep: number;
  /** Of the leading pairs, the multiples of the tolerance that they must meet. */
  readonly slack: readonly number[];
  readonly tolerance: number;
  readonly above: number | undefined;
  /** Pairs that are kept at most. */
  readonly most: number;
}

interface Judgement {
  /** One for each pair that is kept. */
  readonly bounds: readonly number[];
  /** The pair whose residual should extend the subspace; undefined when all is well. */
  readonly worst: number | undefined;
}

/** Keeps those pairs that were asked for and every one above the limit with one more below it, and looks at their errors. */
function judge(pairs: RitzPairs, { keep, slack, tolerance, above, most }: Wanted, complete: boolean): Judgement {
  const known = pairs.values.length;
  const isAbove = (i: number): boolean => above !== undefined && pairs.values[i]! > above;
  let kept = Math.min(keep, known);
  while (kept < Math.min(known, most) && isAbove(kept - 1)) kept++;

  const largest = Math.max(Math.abs(pairs.values[0]!), Math.abs(pairs.values[known - 1]!));
  const floor = rounding * largest;
  const certified = Array.from({ length: kept }, (_, i) =>
    complete ? { bound: 0, pairsUsed: i + 1 } : ritzBound(pairs, i, kept + 2),
  );
  // A Gram matrix of residuals that are mostly rounding can make one negative.
  const bounds = certified.map((c) => Math.max(c.bound, 0) + floor);
  if (complete) return { bounds, worst: undefined };
  const open = slack.findIndex(
    (share, i) => !(bounds[i]! <= tolerance * share * Math.max(Math.abs(pairs.values[i]!), smallShare * largest)),
  );
  const tooFew = known < keep || (kept === known && kept < most && isAbove(kept - 1));
  if (open < 0) return { bounds, worst: tooFew ? kept - 1 : undefined };
  // Among the pairs that certify together, the one that hurts most.
  let worst = Math.min(open, kept - 1);
  const together = certified[worst]!.pairsUsed;
  for (let i = 0; i < together; i++) {
    if (residualNorm(pairs, i) > 3 * residualNorm(pairs, worst)) worst = i;
  }
  return { bounds, worst };
}

async function report(subspace: RitzSubspace, view: RitzView, { bounds, worst }: Judgement): Promise<TopEigenpairs> {
  const kept = bounds.length;
  return {
    kind: 'found',
    values: Array.from(view.eigen.values.slice(0, kept)),
    vectors: await subspace.ritzVectors(view, kept),
    residuals: Array.from({ length: kept }, (_, i) => residualNorm(view.pairs, i)),
    bounds,
    products: subspace.products,
    converged: worst === undefined,
  };
}
