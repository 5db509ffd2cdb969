import type { Block } from '#math/vector-space.js';
import { output, type DeviceTensor, type Executor } from './executor.js';
import type { ExecutorSpace } from './executor-space.js';
import { PartSums, uploadParts, type ParameterLayout, type Parts } from './parameter-layout.js';
import { slotsFor, vectorAt, writePart } from './piece-layout.js';

type Tensors<T> = Readonly<Record<string, T>>;

/** Vectors of a space as tensors of the parameters' shapes, and back. */
export interface VectorParts<T extends DeviceTensor> {
  /** For each vector its part for each parameter; the caller releases them. */
  split(block: Block): Promise<readonly (readonly T[])[]>;
  /** Sums of so many vectors, which come in parts. */
  sums(vectors: number): VectorSums<T>;
  close(): Promise<void>;
}

export interface VectorSums<T> {
  /** Where outputs of these names may be written, when that saves a copy. */
  into?(names: readonly string[]): Readonly<Record<string, Float32Array>>;
  /** Adds the outputs of these names, one for each parameter, to vector k. Does not release them. */
  add(k: number, outputs: Tensors<T>, names: readonly string[]): Promise<void>;
  /** The sums times a factor, as a block. */
  finish(factor: number): Promise<Block>;
}

/** Through the host's memory: the fastest way where the executor computes in it, since parts of a vector are views. */
export function hostParts<T extends DeviceTensor>(
  executor: Executor<T>,
  space: ExecutorSpace<T>,
  parameters: ParameterLayout,
): VectorParts<T> {
  const places = parameters.map((_, i) => String(i));
  return {
    close: async () => {},
    split: async (block) => {
      const vectors: Float32Array[] = [];
      for (const { tensor, count } of space.of(block).runs) {
        const slots = { data: await executor.download(tensor), count };
        for (let i = 0; i < count; i++) vectors.push(vectorAt(space.layout, slots, i));
      }
      return vectors.map((vector) => {
        const parts = uploadParts(executor, parameters, vector, places);
        return places.map((place) => output(parts, place));
      });
    },
    sums: (vectors) => {
      const sums = Array.from({ length: vectors }, () => new PartSums());
      // A single vector lies in its block as it is: the first outputs need not be copied there.
      const slots = vectors === 1 ? slotsFor(space.layout, 1) : undefined;
      const places = slots && parameters.map(({ offset, size }) => slots.data.subarray(offset, offset + size));
      return {
        ...(places && {
          into: (names: readonly string[]) => Object.fromEntries(names.map((name, i) => [name, places[i]!])),
        }),
        add: async (k, outputs, names) =>
          sums[k]!.add(await Promise.all(names.map((name) => executor.download(output(outputs, name))))),
        finish: async (factor) => {
          const parts = sums.map((sum) => sum.parts);
          const isThere = places?.every(({ buffer, byteOffset }, i) => {
            const part = parts[0]?.[i];
            return part?.buffer === buffer && part.byteOffset === byteOffset;
          });
          if (slots === undefined || isThere !== true) return joinParts(space, parameters, parts, factor);
          if (factor !== 1) for (let i = 0; i < slots.data.length; i++) slots.data[i]! *= factor;
          return space.fromSlots(slots);
        },
      };
    },
  };
}

/** From the parts of each vector on the host, times a factor. */
export function joinParts<T extends DeviceTensor>(
  space: ExecutorSpace<T>,
  parameters: ParameterLayout,
  vectors: readonly Parts[],
  factor = 1,
): Block {
  const slots = slotsFor(space.layout, vectors.length);
  for (const [k, parts] of vectors.entries()) {
    for (const [i, { offset }] of parameters.entries()) writePart(space.layout, parts[i]!, offset, slots, k);
  }
  if (factor !== 1) for (let i = 0; i < slots.data.length; i++) slots.data[i]! *= factor;
  return space.fromSlots(slots);
}
