import type { LinearizedGraph, TangentGraph } from '#graph/index.js';
import type { Block } from '#math/vector-space.js';
import { output, type DeviceTensor, type Executor, type Program } from './executor.js';
import type { ExecutorSpace } from './executor-space.js';
import { keptOfParameters, type MemoryPlan } from './memory-plan.js';
import { flatten, inGroups, PartSums, total, type ParameterLayout } from './parameter-layout.js';
import { releaseAll, type ProbeFeeds } from './probe-feeds.js';
import type { Linearization, Work } from './probe-model.js';
import type { VectorParts, VectorSums } from './vector-parts.js';

type Tensors<T> = Readonly<Record<string, T>>;

export interface LinearizationParts<T extends DeviceTensor> {
  readonly executor: Executor<T>;
  readonly space: ExecutorSpace<T>;
  readonly parameters: ParameterLayout;
  readonly vectors: VectorParts<T>;
  readonly linearized: LinearizedGraph;
  readonly plan: MemoryPlan;
  readonly feeds: ProbeFeeds<T>;
  /** θ, which lives as long as the linearization. */
  readonly theta: Tensors<T>;
  readonly primal: Program<T>;
  /** The tangent graph for so many vectors at once. */
  tangent(vectors: number): Promise<{ readonly graph: TangentGraph; readonly program: Program<T> }>;
}

/** What one chunk keeps, or makes again for each product. */
interface Chunk<T> {
  readonly examples: Tensors<T>;
  readonly kept: Tensors<T>;
}

/** Some of the vectors that are multiplied, from one of them on. */
interface Group<T> {
  readonly from: number;
  readonly items: readonly (readonly T[])[];
}

/** The primal results of the first chunks, and products with them. */
export class GraphLinearization<T extends DeviceTensor> implements Linearization {
  readonly #parts: LinearizationParts<T>;
  readonly #kept: Chunk<T>[] = [];
  readonly #sharedNames: ReadonlySet<string>;
  /** Kept results that are the same for every chunk, from the first. */
  #shared: Tensors<T> | undefined;
  loss = Number.NaN;
  gradient: Float32Array = new Float32Array(0);
  #weight = Number.NaN;
  #closed = false;

  private constructor(parts: LinearizationParts<T>) {
    this.#parts = parts;
    this.#sharedNames = keptOfParameters(parts.linearized.primal);
  }

  static async at<T extends DeviceTensor>(parts: LinearizationParts<T>, work: Work): Promise<GraphLinearization<T>> {
    const made = new GraphLinearization(parts);
    try {
      await made.#runPrimal(work);
    } catch (error) {
      await made.close();
      throw error;
    }
    return made;
  }

  async #runPrimal({ signal, progress }: Work): Promise<void> {
    const { executor, feeds, linearized, parameters, plan } = this.#parts;
    const { primal } = linearized;
    const sums = new PartSums();
    const scalars = { loss: 0, weight: 0 };
    for (let index = 0; index < feeds.chunks; index++) {
      signal?.throwIfAborted();
      const { chunk, outputs, rest } = await this.#makeChunk(index);
      const read = (name: string): Promise<Float32Array | Float64Array> => executor.download(output(outputs, name));
      const losses = await read(primal.losses);
      scalars.loss += total(losses);
      scalars.weight += primal.weights === undefined ? losses.length : total(await read(primal.weights));
      sums.add(await Promise.all(primal.gradients.map(read)));
      releaseAll(executor, rest);
      if (index < plan.keptChunks) this.#kept.push(chunk);
      else this.#release(chunk);
      progress?.(index + 1, feeds.chunks);
    }
    this.#weight = scalars.weight;
    this.loss = scalars.loss / scalars.weight;
    this.gradient = flatten(parameters, sums.parts, scalars.weight / (linearized.divisor ?? 1));
  }

  async #makeChunk(index: number): Promise<{ chunk: Chunk<T>; outputs: Tensors<T>; rest: Tensors<T> }> {
    const { feeds, linearized, primal, theta } = this.#parts;
    const examples = feeds.chunk(index);
    const outputs = await primal.run({ ...theta, ...examples });
    const names = new Set(linearized.primal.kept);
    const part = (wanted: (name: string) => boolean): Tensors<T> =>
      Object.fromEntries(Object.entries(outputs).filter(([name]) => wanted(name)));
    const shared = part((name) => this.#sharedNames.has(name));
    if (this.#shared === undefined) this.#shared = shared;
    else releaseAll(this.#parts.executor, shared);
    const kept = part((name) => names.has(name) && !this.#sharedNames.has(name));
    return { chunk: { examples, kept }, outputs, rest: part((name) => !names.has(name)) };
  }

  async multiply(vectors: readonly Float32Array[], work: Work = {}): Promise<readonly Float32Array[]> {
    const { space } = this.#parts;
    const block = await space.fromHost(vectors);
    const product = await this.multiplyBlock(block, work);
    const answer = await space.toHost(product);
    space.release(block, product);
    return answer;
  }

  async multiplyBlock(block: Block, { signal, progress }: Work = {}): Promise<Block> {
    if (this.#closed) throw new Error('The linearization was closed');
    if (block.count === 0) return this.#parts.space.join([]);
    const { feeds, vectors } = this.#parts;
    const split = await vectors.split(block);
    try {
      const groups = inGroups(split.vectors, this.#parts.plan.vectorsAtOnce);
      const sums = vectors.sums(block.count);
      let done = 0;
      for (let index = 0; index < feeds.chunks; index++) {
        signal?.throwIfAborted();
        const chunk = this.#kept[index] ?? (await this.#again(index));
        try {
          for (const group of groups) {
            signal?.throwIfAborted();
            await this.#multiplyGroup(group, chunk, sums);
            done += group.items.length;
            progress?.(done, block.count * feeds.chunks);
          }
        } finally {
          if (chunk !== this.#kept[index]) this.#release(chunk);
        }
      }
      return await sums.finish((this.#parts.linearized.divisor ?? 1) / this.#weight);
    } finally {
      split.release();
    }
  }

  /** Adds what one chunk contributes to the products of some vectors. */
  async #multiplyGroup({ from, items }: Group<T>, { examples, kept }: Chunk<T>, sums: VectorSums<T>): Promise<void> {
    const { graph, program } = await this.#parts.tangent(items.length);
    const given = items.flatMap((parts, k) => parts.map((part, i) => [graph.vectors[k]![i]!, part] as const));
    const inputs = { ...this.#parts.theta, ...examples, ...this.#shared, ...kept, ...Object.fromEntries(given) };
    const places = graph.products.map((names, k) => sums.into?.(from + k, names));
    const into: Record<string, Float32Array> = {};
    for (const place of places) Object.assign(into, place);
    const outputs = await program.run(inputs, into);
    for (const [k, names] of graph.products.entries()) await sums.add(from + k, outputs, names);
    releaseAll(this.#parts.executor, outputs);
  }

  async #again(index: number): Promise<Chunk<T>> {
    const { chunk, rest } = await this.#makeChunk(index);
    releaseAll(this.#parts.executor, rest);
    return chunk;
  }

  #release({ examples, kept }: Chunk<T>): void {
    releaseAll(this.#parts.executor, examples);
    releaseAll(this.#parts.executor, kept);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const chunk of this.#kept.splice(0)) this.#release(chunk);
    releaseAll(this.#parts.executor, this.#shared ?? {});
    releaseAll(this.#parts.executor, this.#parts.theta);
  }
}
