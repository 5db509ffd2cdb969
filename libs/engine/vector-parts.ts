import type { Block } from '#math/vector-space.js';
import { output, type DeviceTensor, type Executor } from './executor.js';
import type { ExecutorSpace, HostSlots } from './executor-space.js';
import { PartSums, uploadParts, type ParameterLayout, type Parts } from './parameter-layout.js';
import { moveVector, writePart } from './piece-layout.js';

type Tensors<T> = Readonly<Record<string, T>>;

/** Vectors of a space as tensors of the parameters' shapes, and back. */
export interface VectorParts<T extends DeviceTensor> {
  split(block: Block): Promise<SplitVectors<T>>;
  /** Sums of so many vectors, which come in parts. */
  sums(vectors: number): VectorSums<T>;
  close(): Promise<void>;
}

export interface SplitVectors<T> {
  /** For each vector its part for each parameter. */
  readonly vectors: readonly (readonly T[])[];
  release(): void;
}

export interface VectorSums<T> {
  /** Where the outputs of these names for vector k may be written, when that saves a copy. */
  into?(k: number, names: readonly string[]): Readonly<Record<string, Float32Array>>;
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
      const copies: HostSlots[] = [];
      const vectors: Float32Array[] = [];
      const held = space.held(block);
      for (const { tensor, count } of held.runs) {
        const data = await executor.download(tensor);
        if (count === 1 && data instanceof Float32Array) vectors.push(data);
        else {
          for (let i = 0; i < count; i++) {
            const copy = space.slots(1);
            moveVector(space.layout, { data, count }, i, copy, 0);
            copies.push(copy);
            vectors.push(copy.data);
          }
        }
      }
      const parts = vectors.map((vector) => {
        const tensors = uploadParts(executor, parameters, vector, places);
        return places.map((place) => output(tensors, place));
      });
      return {
        vectors: parts,
        release: () => {
          for (const part of parts.flat()) executor.release(part);
          for (const copy of copies) space.giveBack(copy);
          space.release(held);
        },
      };
    },
    sums: (vectors) => new HostSums(executor, space, parameters, vectors),
  };
}

/** Of the first chunk as they come, each vector by itself; in double precision when there are more chunks. */
class HostSums<T extends DeviceTensor> implements VectorSums<T> {
  readonly #executor: Executor<T>;
  readonly #space: ExecutorSpace<T>;
  readonly #parameters: ParameterLayout;
  readonly #vectors: readonly HostSlots[];
  readonly #begun = new Set<number>();
  readonly #sums = new Map<number, PartSums>();

  constructor(executor: Executor<T>, space: ExecutorSpace<T>, parameters: ParameterLayout, vectors: number) {
    this.#executor = executor;
    this.#space = space;
    this.#parameters = parameters;
    this.#vectors = Array.from({ length: vectors }, () => space.slots(1));
  }

  into(k: number, names: readonly string[]): Readonly<Record<string, Float32Array>> {
    if (this.#begun.has(k)) return {};
    const places = this.#partsOf(k);
    return Object.fromEntries(names.map((name, i) => [name, places[i]!]));
  }

  async add(k: number, outputs: Tensors<T>, names: readonly string[]): Promise<void> {
    const parts = await Promise.all(names.map((name) => this.#executor.download(output(outputs, name))));
    if (!this.#begun.has(k)) {
      this.#begun.add(k);
      this.#write(k, parts);
      return;
    }
    let sum = this.#sums.get(k);
    if (sum === undefined) {
      sum = new PartSums();
      sum.add(this.#partsOf(k));
      this.#sums.set(k, sum);
    }
    sum.add(parts);
  }

  async finish(factor: number): Promise<Block> {
    for (const [k, { parts }] of this.#sums) this.#write(k, parts);
    if (factor !== 1) for (const { data } of this.#vectors) for (let i = 0; i < data.length; i++) data[i]! *= factor;
    return this.#space.fromSlots(this.#vectors);
  }

  #partsOf(k: number): Float32Array[] {
    const { data } = this.#vectors[k]!;
    return this.#parameters.map(({ offset, size }) => data.subarray(offset, offset + size));
  }

  #write(k: number, parts: Parts): void {
    const { data } = this.#vectors[k]!;
    for (const [i, { offset }] of this.#parameters.entries()) {
      const part = parts[i]!;
      const isThere = part.buffer === data.buffer && part.byteOffset === data.byteOffset + offset * data.BYTES_PER_ELEMENT;
      if (!isThere) data.set(part, offset);
    }
  }
}

/** From the parts of each vector on the host. */
export function joinParts<T extends DeviceTensor>(
  space: ExecutorSpace<T>,
  parameters: ParameterLayout,
  vectors: readonly Parts[],
): Block {
  const slots = space.slots(vectors.length);
  for (const [k, parts] of vectors.entries()) {
    for (const [i, { offset }] of parameters.entries()) writePart(space.layout, parts[i]!, offset, slots, k);
  }
  return space.fromSlots([slots]);
}
