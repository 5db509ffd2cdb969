import type { Block } from '#math/vector-space.js';
import type { DeviceTensor, Executor } from './executor.js';
import type { ExecutorSpace } from './executor-space.js';
import { uploadParts, type ParameterLayout } from './parameter-layout.js';
import { slotsFor, vectorAt, writePart } from './piece-layout.js';

type Numbers = Float32Array | Float64Array;

/** Vectors of a space as tensors of the parameters' shapes, and back. */
export class VectorParts<T extends DeviceTensor> {
  constructor(
    private readonly executor: Executor<T>,
    private readonly space: ExecutorSpace<T>,
    private readonly parameters: ParameterLayout,
  ) {}

  /** For each vector a function that gives its parts under these names; the caller releases them. */
  async split(block: Block): Promise<readonly ((names: readonly string[]) => Record<string, T>)[]> {
    const vectors: Float32Array[] = [];
    for (const { tensor, count } of this.space.of(block).runs) {
      const slots = { data: await this.executor.download(tensor), count };
      for (let i = 0; i < count; i++) vectors.push(vectorAt(this.space.layout, slots, i));
    }
    return vectors.map((vector) => (names) => uploadParts(this.executor, this.parameters, vector, names));
  }

  /** From the parts of each vector, times a factor. */
  join(vectors: readonly (readonly Numbers[])[], factor = 1): Block {
    const { layout } = this.space;
    const slots = slotsFor(layout, vectors.length);
    for (const [k, parts] of vectors.entries()) {
      for (const [i, { offset }] of this.parameters.entries()) writePart(layout, parts[i]!, offset, slots, k);
    }
    if (factor !== 1) for (let i = 0; i < slots.data.length; i++) slots.data[i]! *= factor;
    return this.space.adopt(
      this.executor.upload([layout.pieces, vectors.length, layout.pieceLength], slots.data),
      vectors.length,
    );
  }
}
