import { orthonormalBlock } from './gram-schmidt.js';
import { symmetricEigen, type SymmetricEigen } from './jacobi-eigen.js';
import type { Random } from './random.js';
import type { RitzPairs } from './ritz-bounds.js';
import type { Block, VectorSpace } from './vector-space.js';

/** A symmetric matrix that is known by its products only. */
export interface SymmetricOperator {
  readonly space: VectorSpace;
  /** The caller releases what it is given and what it gave. */
  multiply(block: Block): Promise<Block>;
}

/** What a subspace knows: Ritz values with the vectors that make Ritz vectors of the basis. */
export interface RitzView {
  readonly eigen: SymmetricEigen;
  readonly pairs: RitzPairs;
}

/** An orthonormal basis Q with its products HQ, and the two small matrices QᵀHQ and (HQ)ᵀHQ. */
export class RitzSubspace {
  readonly #operator: SymmetricOperator;
  readonly #space: VectorSpace;
  #basis: Block;
  #products: Block;
  #projected: Float64Array[] = [];
  #gram: Float64Array[] = [];
  products = 0;

  private constructor(operator: SymmetricOperator, nothing: Block) {
    this.#operator = operator;
    this.#space = operator.space;
    this.#basis = nothing;
    this.#products = nothing;
  }

  static async create(operator: SymmetricOperator): Promise<RitzSubspace> {
    return new RitzSubspace(operator, await operator.space.join([]));
  }

  get size(): number {
    return this.#basis.count;
  }

  /** The subspace is the whole space: Ritz values are eigenvalues. */
  get complete(): boolean {
    return this.size === this.#space.size;
  }

  /** Adds what the candidates bring; a random direction when they bring nothing. False when a product is not finite. */
  async extend(candidates: Block, random: Random): Promise<boolean> {
    const space = this.#space;
    const room = space.size - this.size;
    let added = await orthonormalBlock(space, candidates, this.#basis, room);
    if (added.count === 0) {
      const guess = await space.normal(1, random);
      added = await orthonormalBlock(space, guess, this.#basis, room);
      space.release(guess);
    }
    if (added.count === 0) return true;
    const results = await this.#operator.multiply(added);
    this.products += added.count;
    const finite = await this.#append(added, results);
    space.release(added, results);
    return finite;
  }

  async #append(added: Block, results: Block): Promise<boolean> {
    const space = this.#space;
    const before = this.size;
    const basis = await space.join([this.#basis, added]);
    const products = await space.join([this.#products, results]);
    space.release(this.#basis, this.#products);
    [this.#basis, this.#products] = [basis, products];
    // A length is finite only where every number is.
    if (!(await space.norms(results)).every(Number.isFinite)) return false;
    const projected = await space.gram(basis, results);
    const gram = await space.gram(products, results);
    for (let j = 0; j < results.count; j++) {
      const upToHere = (rows: readonly Float64Array[]): Float64Array =>
        Float64Array.from({ length: before + j + 1 }, (_, i) => rows[i]![j]!);
      this.#projected.push(upToHere(projected));
      this.#gram.push(upToHere(gram));
    }
    return true;
  }

  /** Ritz pairs. RᵀR = Yᵀ(HQ)ᵀ(HQ)Y - Θ², since residuals are orthogonal to the subspace. */
  view(): RitzView | undefined {
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

  /** The first `count` Ritz vectors, brought to the host. */
  async ritzVectors(view: RitzView, count: number): Promise<Float32Array[]> {
    if (count === 0) return [];
    const space = this.#space;
    const vectors = await space.combine([{ block: this.#basis, coefficients: view.eigen.vectors.slice(0, count) }]);
    const copies = await space.toHost(vectors);
    space.release(vectors);
    return copies;
  }

  /** H v - θ v. */
  residual(view: RitzView, i: number): Promise<Block> {
    const y = view.eigen.vectors[i]!;
    const theta = view.eigen.values[i]!;
    return this.#space.combine([
      { block: this.#products, coefficients: [y] },
      { block: this.#basis, coefficients: [y.map((x) => -theta * x)] },
    ]);
  }

  /** Keeps the best Ritz vectors and their products, without a product. */
  async restart(view: RitzView, count: number): Promise<void> {
    const space = this.#space;
    const { values, vectors } = view.eigen;
    const coefficients = vectors.slice(0, count);
    const basis = await space.combine([{ block: this.#basis, coefficients }]);
    const products = await space.combine([{ block: this.#products, coefficients }]);
    const gram = await space.gram(products, products);
    this.#projected = coefficients.map((_, i) => Float64Array.from({ length: i + 1 }, (__, j) => (i === j ? values[i]! : 0)));
    this.#gram = gram.map((row, i) => row.slice(0, i + 1));
    space.release(this.#basis, this.#products);
    [this.#basis, this.#products] = [basis, products];
  }

  close(): void {
    this.#space.release(this.#basis, this.#products);
  }
}
