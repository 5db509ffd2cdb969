import type { Random } from './random.js';

/** Vectors of one space, in order, where the space keeps them; opaque to everybody else, and never changed. */
export interface Block {
  readonly count: number;
}

/** Vectors of a block with the shares that each result takes of them: `coefficients[r][i]` of vector i for result r. */
export interface Term {
  readonly block: Block;
  readonly coefficients: readonly ArrayLike<number>[];
}

/**
 * Long vectors of one length, wherever they live: in this process or on an accelerator. A tracker that works on blocks
 * of a space never brings them to the host; what it learns of them are small matrices in double precision.
 *
 * Numbers are float32; sums over a vector are exact to about 1e-6 of the product of the lengths or better, as long as
 * squares of the numbers do not leave the range of float32 by far.
 */
export interface VectorSpace {
  /** Numbers in a vector. */
  readonly size: number;
  /** Copies. Throws a RangeError for a vector of another length. */
  fromHost(vectors: readonly Float32Array[]): Promise<Block>;
  /** Copies. */
  toHost(block: Block): Promise<Float32Array[]>;
  /** Independent standard normal numbers: the same ones for the same source in every space. */
  normal(count: number, random: Random): Promise<Block>;
  /** Inner products: `[i][j]` of vector i of a and vector j of b. */
  gram(a: Block, b: Block): Promise<Float64Array[]>;
  /** Euclidean lengths. */
  norms(block: Block): Promise<Float64Array>;
  /** Σ over terms: as many results as each term has rows of coefficients. */
  combine(terms: readonly [Term, ...Term[]]): Promise<Block>;
  /** y + factor · x, vector by vector. */
  axpy(factor: number, x: Block, y: Block): Promise<Block>;
  /** The vectors at these places, in this order. */
  select(block: Block, places: readonly number[]): Promise<Block>;
  /** All vectors of all blocks, in order. The blocks stay usable. */
  join(blocks: readonly Block[]): Promise<Block>;
  /** Gives back memory; other blocks that were made of this one stay as they are. */
  release(...blocks: readonly Block[]): void;
}

/** The square matrix with `factor` on its diagonal, as coefficients of a {@link Term}. */
export function diagonal(count: number, factor: number): Float64Array[] {
  return Array.from({ length: count }, (_, i) => Float64Array.from({ length: count }, (__, j) => (i === j ? factor : 0)));
}
