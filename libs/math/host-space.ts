import { normalVector } from './random.js';
import type { Block, VectorSpace } from './vector-space.js';
import { addCombination, dot, dots } from './vectors.js';

class HostBlock implements Block {
  constructor(readonly vectors: readonly Float32Array[]) {}

  get count(): number {
    return this.vectors.length;
  }
}

/** Vectors in this process, with inner products in double precision. */
export function createHostSpace(size: number): VectorSpace {
  const vectorsOf = (block: Block): readonly Float32Array[] => {
    if (!(block instanceof HostBlock)) throw new TypeError('A block of another space');
    return block.vectors;
  };
  const zeros = (count: number): Float32Array[] => Array.from({ length: count }, () => new Float32Array(size));
  return {
    size,
    fromHost: async (vectors) => new HostBlock(vectors.map((vector) => Float32Array.from(checked(vector, size)))),
    toHost: async (block) => vectorsOf(block).map((vector) => Float32Array.from(vector)),
    normal: async (count, random) => new HostBlock(Array.from({ length: count }, () => normalVector(size, random))),
    gram: async (a, b) => {
      const columns = vectorsOf(b).map((vector) => dots(vectorsOf(a), vector));
      return Array.from({ length: a.count }, (_, i) => Float64Array.from(columns, (column) => column[i]!));
    },
    norms: async (block) => Float64Array.from(vectorsOf(block), (vector) => Math.sqrt(dot(vector, vector))),
    combine: async (terms) => {
      const results = zeros(terms[0].coefficients.length);
      for (const { block, coefficients } of terms) {
        for (const [r, result] of results.entries()) addCombination(result, vectorsOf(block), coefficients[r]!);
      }
      return new HostBlock(results);
    },
    axpy: async (factor, x, y) => {
      const added = vectorsOf(x);
      return new HostBlock(vectorsOf(y).map((vector, i) => vector.map((value, j) => value + factor * added[i]![j]!)));
    },
    select: async (block, places) => new HostBlock(places.map((place) => vectorsOf(block)[place]!)),
    join: async (blocks) => new HostBlock(blocks.flatMap(vectorsOf)),
    release: () => {},
  };
}

/** Throws a RangeError for a vector of another length. */
export function checked(vector: Float32Array, size: number): Float32Array {
  if (vector.length !== size) throw new RangeError(`A vector of ${vector.length} numbers in a space of ${size}`);
  return vector;
}
