// The algebraically largest eigenvalues of a large symmetric operator, cold or from the last measurement's vectors:
// Rayleigh-Ritz on a subspace that grows by residuals (block Davidson without a preconditioner; from one start vector it
// is the Lanczos method, 1950), thick restart (Wu and Simon 2000), stopped on the error of the eigenvalue and not on the
// residual (Parlett 1998, section 10). Warm starts follow a changing operator: few products when it has changed little.
import { orthonormalPart } from './gram-schmidt.js';
import { symmetricEigen, type SymmetricEigen } from './jacobi-eigen.js';
import { createRandom, normalVector, type Random } from './random.js';
import { residualNorm, ritzBound, type RitzPairs } from './ritz-bounds.js';
import { addCombination, dots, isFiniteVector, norm } from './vectors.js';

/** A symmetric matrix that is known by its products only. */
export interface SymmetricOperator {
  readonly size: number;
  multiply(vectors: readonly Float32Array[]): Promise<readonly Float32Array[]>;
}

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

/** Products in float32 carry rounding of about this share of the largest eigenvalue: no bound is smaller. */
const productRounding = 1e-6;
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
  const keep = Math.min(options.keep ?? 4, operator.size);
  const maxBasis = Math.min(operator.size, Math.max(options.maxBasis ?? 16, 2 * keep + 2));
  const maxProducts = options.maxProducts ?? 200;
  const tolerance = options.relativeTolerance ?? 1e-3;
  const random = createRandom(options.seed ?? 0x5eed);
  const space = new Subspace(operator);

  const usable = (previous?.vectors ?? []).filter((v) => v.length === operator.size && norm(v) > 0 && isFiniteVector(v));
  const demands = Array.from({ length: keep }, (_, i) =>
    i < (options.converge ?? 1) ? 1 : usable.length === 0 ? coldSlack[i] : undefined,
  );
  const slack = demands.filter((d) => d !== undefined);
  const start = [...usable, ...(options.guides ?? [])];
  // A block, and not one vector: from one, a mixture of two close eigenvectors looks like a converged one.
  if (usable.length === 0) for (let i = 0; i < keep; i++) start.push(normalVector(operator.size, random));
  if (!(await space.extend(start, random))) return { kind: 'not finite', products: space.products };

  const wanted: Wanted = { keep, slack, tolerance, above: options.followAbove, most: Math.floor(maxBasis / 2) };
  for (;;) {
    const view = space.view();
    if (view === undefined) return { kind: 'not finite', products: space.products };
    const state = judge(view.pairs, wanted, space.complete);
    if (state.worst === undefined || space.products >= maxProducts) return report(space, view, state);
    const direction = space.residual(view, state.worst);
    // A restart keeps a few vectors more than are reported: they carry most of what the discarded ones knew.
    if (space.size >= maxBasis) space.restart(view, Math.min(state.bounds.length + 4, maxBasis - 1));
    if (!(await space.extend([direction], random))) return { kind: 'not finite', products: space.products };
  }
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
  const floor = productRounding * largest;
  const certified = Array.from({ length: kept }, (_, i) =>
    complete ? { bound: floor, pairsUsed: i + 1 } : ritzBound(pairs, i, kept + 2),
  );
  const bounds = certified.map((c) => Math.max(c.bound, floor));
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

interface View {
  readonly eigen: SymmetricEigen;
  readonly pairs: RitzPairs;
}

function report(space: Subspace, view: View, { bounds, worst }: Judgement): TopEigenpairs {
  const kept = bounds.length;
  return {
    kind: 'found',
    values: Array.from(view.eigen.values.slice(0, kept)),
    vectors: Array.from({ length: kept }, (_, i) => space.ritzVector(view, i)),
    residuals: Array.from({ length: kept }, (_, i) => residualNorm(view.pairs, i)),
    bounds,
    products: space.products,
    converged: worst === undefined,
  };
}

/** An orthonormal basis Q with its products HQ, and the two small matrices QᵀHQ and (HQ)ᵀHQ. */
class Subspace {
  readonly #operator: SymmetricOperator;
  #basis: Float32Array[] = [];
  #products: Float32Array[] = [];
  #projected: Float64Array[] = [];
  #gram: Float64Array[] = [];
  products = 0;

  constructor(operator: SymmetricOperator) {
    this.#operator = operator;
  }

  get size(): number {
    return this.#basis.length;
  }

  /** The subspace is the whole space: Ritz values are eigenvalues. */
  get complete(): boolean {
    return this.size === this.#operator.size;
  }

  /** Adds what the candidates bring; a random direction when they bring nothing. False when a product is not finite. */
  async extend(candidates: readonly Float32Array[], random: Random): Promise<boolean> {
    const added: Float32Array[] = [];
    const offer = (candidate: Float32Array): void => {
      if (this.size + added.length >= this.#operator.size) return;
      const part = orthonormalPart(candidate, [...this.#basis, ...added]);
      if (part !== undefined) added.push(part);
    };
    candidates.forEach(offer);
    if (added.length === 0) offer(normalVector(this.#operator.size, random));
    const results = await this.#operator.multiply(added);
    this.products += added.length;
    for (const [i, vector] of added.entries()) {
      const product = results[i]!;
      if (!isFiniteVector(product)) return false;
      this.#append(vector, product);
    }
    return true;
  }

  #append(vector: Float32Array, product: Float32Array): void {
    this.#basis.push(vector);
    this.#products.push(product);
    this.#projected.push(dots(this.#basis, product));
    this.#gram.push(dots(this.#products, product));
  }

  /** Ritz pairs. RᵀR = Yᵀ(HQ)ᵀ(HQ)Y - Θ², since residuals are orthogonal to the subspace. */
  view(): View | undefined {
    const lower = (rows: readonly Float64Array[], i: number, j: number): number => (i >= j ? rows[i]![j]! : rows[j]![i]!);
    const eigen = symmetricEigen(this.size, (i, j) => lower(this.#projected, i, j));
    if (eigen === undefined) return undefined;
    const { values, vectors } = eigen;
    const turned = vectors.map((y) =>
      Float64Array.from({ length: this.size }, (_, i) => y.reduce((s, yj, j) => s + yj * lower(this.#gram, i, j), 0)),
    );
    const residualGram = (i: number, j: number): number =>
      vectors[i]!.reduce((s, y, k) => s + y * turned[j]![k]!, 0) - (i === j ? values[i]! ** 2 : 0);
    return { eigen, pairs: { values, residualGram } };
  }

  ritzVector(view: View, i: number): Float32Array {
    const out = new Float32Array(this.#operator.size);
    addCombination(out, this.#basis, view.eigen.vectors[i]!);
    return out;
  }

  /** H v - θ v. */
  residual(view: View, i: number): Float32Array {
    const out = new Float32Array(this.#operator.size);
    const y = view.eigen.vectors[i]!;
    const theta = view.eigen.values[i]!;
    addCombination(out, this.#products, y);
    addCombination(
      out,
      this.#basis,
      y.map((x) => -theta * x),
    );
    return out;
  }

  /** Keeps the best Ritz vectors and their products, without a product. */
  restart(view: View, count: number): void {
    const { values, vectors } = view.eigen;
    const combine = (from: readonly Float32Array[], y: Float64Array): Float32Array => {
      const out = new Float32Array(this.#operator.size);
      addCombination(out, from, y);
      return out;
    };
    const kept = vectors.slice(0, count);
    const basis = kept.map((y) => combine(this.#basis, y));
    const products = kept.map((y) => combine(this.#products, y));
    this.#projected = kept.map((_, i) => Float64Array.from({ length: i + 1 }, (__, j) => (i === j ? values[i]! : 0)));
    this.#gram = products.map((p, i) => dots(products.slice(0, i + 1), p));
    this.#basis = basis;
    this.#products = products;
  }
}
