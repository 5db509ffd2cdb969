/** The graphs that a space runs on its executor, each with a key that tells it from the others. */
import { GraphBuilder } from '#graph/builder.js';
import { add, matmul } from '#graph/emit.js';
import { concat, sliceAlong } from '#graph/emit/shape.js';
import type { Graph } from '#graph/index.js';
import type { PieceLayout } from './piece-layout.js';

/** Vectors of some tensors side by side in a new one. */
export function gathering(
  { pieces, pieceLength }: PieceLayout,
  counts: readonly number[],
  places: readonly (readonly [number, number])[],
) {
  return {
    key: `gather ${counts.join()} ${places.join(' ')}`,
    graph: (): Graph => {
      const builder = new GraphBuilder();
      const runs = counts.map((count, i) =>
        builder.input({ name: `run/${i}`, role: 'data', dtype: 'float32', shape: [pieces, count, pieceLength] }),
      );
      const parts = places.map(([run, from]) => sliceAlong(builder, runs[run]!, 1, from, 1));
      const value = parts.length === 1 ? parts[0]! : concat(builder, parts, 1);
      return builder.build([{ name: 'result', value }]);
    },
  };
}

/** `result[piece, i, j]`: inner products of the pieces of vector i of `left` and vector j of `right`. */
export function innerProducts({ pieces, pieceLength }: PieceLayout, left: number, right: number) {
  return {
    key: `gram ${left} ${right}`,
    graph: (): Graph => {
      const builder = new GraphBuilder();
      const input = (name: string, count: number) =>
        builder.input({ name, role: 'data', dtype: 'float32', shape: [pieces, count, pieceLength] });
      const value = matmul(builder, input('left', left), input('right', right), { transB: true });
      return builder.build([{ name: 'result', value }]);
    },
  };
}

/** Σ `shares` [1, results, vectors] times the vectors. */
export function combination({ pieces, pieceLength }: PieceLayout, results: number, counts: readonly number[]) {
  return {
    key: `combine ${results} of ${counts.join()}`,
    graph: (): Graph => {
      const builder = new GraphBuilder();
      const input = (name: string, shape: readonly number[]) => builder.input({ name, role: 'data', dtype: 'float32', shape });
      const products = counts.map((count, i) => {
        const vectors = input(`vectors/${i}`, [pieces, count, pieceLength]);
        return matmul(builder, input(`shares/${i}`, [1, results, count]), vectors);
      });
      return builder.build([{ name: 'result', value: products.reduce((sum, product) => add(builder, sum, product)) }]);
    },
  };
}
