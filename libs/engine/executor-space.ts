import type { Graph } from '#graph/index.js';
import { normalVector } from '#math/random.js';
import { diagonal, type Block, type Term, type VectorSpace } from '#math/vector-space.js';
import { ArrayPool } from './array-pool.js';
import { DeviceBlock, firstToMerge, located, type Located, type Run } from './device-block.js';
import { output, type DeviceTensor, type Executor, type Program } from './executor.js';
import { moveVector, pieceLayout, sizeOfSlots, vectorAt, type PieceLayout, type Slots } from './piece-layout.js';
import { combination, gathering, innerProducts } from './space-graphs.js';

/**
 * Of a vector. A space has dozens of programs, one for each number of vectors: in memory that each of them kept for itself a
 * solve of long vectors would hold hundreds of them.
 */
const longNumbers = 2 ** 20;

export type HostSlots = Slots & { readonly data: Float32Array };

function zeros(slots: HostSlots): HostSlots {
  slots.data.fill(0);
  return slots;
}

/**
 * Vectors where an executor keeps its tensors. The arithmetic is matrix products on the executor; only vectors that change
 * their place go through the host, which costs nothing where the executor computes in the host's memory.
 */
export class ExecutorSpace<T extends DeviceTensor> implements VectorSpace {
  readonly size: number;
  readonly layout: PieceLayout;
  readonly #executor: Executor<T>;
  readonly #programs = new Map<string, Promise<Program<T>>>();
  readonly #uses = new Map<T, number>();
  readonly #pool = new ArrayPool();
  /** What tensors that came from the host share with it. */
  readonly #arrays = new Map<T, Float32Array>();

  constructor(executor: Executor<T>, size: number) {
    this.#executor = executor;
    this.size = size;
    this.layout = pieceLayout(size);
  }

  async fromHost(vectors: readonly Float32Array[]): Promise<DeviceBlock<T>> {
    const wrong = vectors.find(({ length }) => length !== this.size);
    if (wrong !== undefined) throw new RangeError(`A vector of ${wrong.length} numbers in a space of ${this.size}`);
    const all = vectors.map((vector) => {
      const slots = this.slots(1);
      slots.data.set(vector);
      return slots;
    });
    return this.fromSlots(all);
  }

  async toHost(block: Block): Promise<Float32Array[]> {
    return this.#holding([block], async (runs) => {
      const vectors: Float32Array[] = [];
      for (const { tensor, count } of runs) {
        const slots = { data: await this.#executor.download(tensor), count };
        for (let i = 0; i < count; i++) vectors.push(vectorAt(this.layout, slots, i));
      }
      return vectors;
    });
  }

  normal(count: number, random: Parameters<VectorSpace['normal']>[1]): Promise<Block> {
    return this.fromHost(Array.from({ length: count }, () => normalVector(this.size, random)));
  }

  async gram(a: Block, b: Block): Promise<Float64Array[]> {
    await this.#compact(a);
    await this.#compact(b);
    return this.#holding([a, b], async (uppers, lowers) => {
      const rows = Array.from({ length: a.count }, () => new Float64Array(b.count));
      let top = 0;
      for (const upper of uppers) {
        let left = 0;
        for (const lower of lowers) {
          await this.#addGram(upper, lower, (i, j, value) => (rows[top + i]![left + j]! += value));
          left += lower.count;
        }
        top += upper.count;
      }
      return rows;
    });
  }

  async norms(block: Block): Promise<Float64Array> {
    return this.#holding([block], async (runs) => {
      const lengths: number[] = [];
      for (const run of runs) {
        const squares = new Float64Array(run.count);
        await this.#addGram(run, run, (i, j, value) => (squares[i]! += i === j ? value : 0));
        for (const square of squares) lengths.push(Math.sqrt(square));
      }
      return Float64Array.from(lengths);
    });
  }

  async combine(terms: readonly [Term, ...Term[]]): Promise<DeviceBlock<T>> {
    const results = terms[0].coefficients.length;
    const blocks = terms.map(({ block }) => block);
    for (const block of blocks) await this.#compact(block);
    return this.#holding(blocks, (...held) => this.#combined(terms, held, results));
  }

  async #combined(terms: readonly Term[], held: readonly (readonly Run<T>[])[], results: number): Promise<DeviceBlock<T>> {
    const parts = terms.flatMap(({ coefficients }, term) => {
      let left = 0;
      return held[term]!.map(({ tensor, count }) => {
        const rows = coefficients.flatMap((row) => Array.from({ length: count }, (_, i) => row[left + i]!));
        left += count;
        return { tensor, count, shares: this.#executor.upload([1, results, count], Float32Array.from(rows)) };
      });
    });
    if (parts.length === 0) return this.fromSlots([zeros(this.slots(results))]);
    // In one run: each result of a run is new memory, and new memory is dear.
    const counts = parts.map(({ count }) => count);
    const program = await this.#program(combination(this.layout, results, counts));
    const inputs = parts.flatMap(({ tensor, shares }, i) => [
      [`vectors/${i}`, tensor] as const,
      [`shares/${i}`, shares] as const,
    ]);
    const made = output(await program.run(Object.fromEntries(inputs)), 'result');
    for (const { shares } of parts) this.#executor.release(shares);
    return this.adopt(made, results);
  }

  axpy(factor: number, x: Block, y: Block): Promise<Block> {
    return this.combine([
      { block: y, coefficients: diagonal(y.count, 1) },
      { block: x, coefficients: diagonal(x.count, factor) },
    ]);
  }

  select(block: Block, places: readonly number[]): Promise<DeviceBlock<T>> {
    return this.#holding([block], (runs) => this.#selected(runs, places));
  }

  async #selected(runs: readonly Run<T>[], places: readonly number[]): Promise<DeviceBlock<T>> {
    const [only] = runs;
    if (runs.length === 1 && only!.count === places.length && places.every((place, i) => place === i)) return this.#share(runs);
    return this.#gathered(located(runs, places));
  }

  join(blocks: readonly Block[]): Promise<DeviceBlock<T>> {
    return this.#holding(blocks, (...held) => this.#joined(held.flat()));
  }

  async #joined(runs: readonly Run<T>[]): Promise<DeviceBlock<T>> {
    const first = firstToMerge(runs);
    if (first === runs.length) return this.#share(runs);
    const tail = runs.slice(first).flatMap((run) => Array.from({ length: run.count }, (_, from) => ({ run, from })));
    const merged = await this.#gathered(tail);
    return new DeviceBlock([...this.#share(runs.slice(0, first)).runs, ...merged.runs]);
  }

  release(...blocks: readonly Block[]): void {
    for (const { tensor } of blocks.flatMap((block) => this.of(block).runs)) {
      const left = (this.#uses.get(tensor) ?? 0) - 1;
      if (left > 0) this.#uses.set(tensor, left);
      else if (this.#uses.delete(tensor)) this.#release(tensor);
    }
  }

  #release(tensor: T): void {
    this.#executor.release(tensor);
    const array = this.#arrays.get(tensor);
    this.#arrays.delete(tensor);
    if (array !== undefined) this.#pool.give(array);
  }

  /** A tensor in this space's layout becomes a block, which owns it. */
  adopt(tensor: T, count: number): DeviceBlock<T> {
    return this.#share(count === 0 ? [] : [{ tensor, count }]);
  }

  of(block: Block): DeviceBlock<T> {
    if (!(block instanceof DeviceBlock)) throw new TypeError('A block of another space');
    return block as DeviceBlock<T>;
  }

  async close(): Promise<void> {
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    for (const program of programs) await (await program).close();
    this.#arrays.clear();
    this.#pool.clear();
  }

  async #addGram(a: Run<T>, b: Run<T>, addTo: (i: number, j: number, value: number) => void): Promise<void> {
    // Kernels for the transpose of a short operand are slow: the longer one is the one that is transposed.
    const swapped = a.count > b.count;
    const [left, right] = swapped ? [b, a] : [a, b];
    const program = await this.#program(innerProducts(this.layout, left.count, right.count));
    const result = output(await program.run({ left: left.tensor, right: right.tensor }), 'result');
    const partial = await this.#executor.download(result);
    for (let k = 0; k < partial.length; k++) {
      const j = k % right.count;
      const i = ((k - j) / right.count) % left.count;
      addTo(swapped ? j : i, swapped ? i : j, partial[k]!);
    }
    this.#executor.release(result);
  }

  async #gathered(located: readonly Located<T>[]): Promise<DeviceBlock<T>> {
    if (located.length === 0) return new DeviceBlock([]);
    return this.#executor.inHostMemory === true ? this.#gatheredOnHost(located) : this.#gatheredOnDevice(located);
  }

  async #gatheredOnDevice(located: readonly Located<T>[]): Promise<DeviceBlock<T>> {
    const runs = [...new Set(located.map(({ run }) => run))];
    const places = located.map(({ run, from }) => [runs.indexOf(run), from] as const);
    const program = await this.#program(
      gathering(
        this.layout,
        runs.map(({ count }) => count),
        places,
      ),
    );
    const inputs = Object.fromEntries(runs.map(({ tensor }, i) => [`run/${i}`, tensor]));
    return this.adopt(output(await program.run(inputs), 'result'), located.length);
  }

  async #gatheredOnHost(located: readonly Located<T>[]): Promise<DeviceBlock<T>> {
    const target = this.slots(located.length);
    const sources = new Map<Run<T>, Float32Array | Float64Array>();
    for (const { run } of located) if (!sources.has(run)) sources.set(run, await this.#executor.download(run.tensor));
    for (const [to, { run, from }] of located.entries()) {
      moveVector(this.layout, { data: sources.get(run)!, count: run.count }, from, target, to);
    }
    return this.fromSlots([target]);
  }

  /** Room for vectors on the host, for whoever writes all of their numbers; what fills up the last piece is zero. */
  slots(count: number): HostSlots {
    const data = this.#pool.take(sizeOfSlots(this.layout, count));
    const { pieces, pieceLength } = this.layout;
    data.fill(0, (pieces - 1) * count * pieceLength);
    return { data, count };
  }

  /** A block of vectors that lie in this space's layout, which it owns from now on. */
  fromSlots(all: readonly HostSlots[]): DeviceBlock<T> {
    const { pieces, pieceLength } = this.layout;
    const runs = all
      .filter(({ count }) => count > 0)
      .map(({ data, count }) => {
        const tensor = this.#executor.upload([pieces, count, pieceLength], data);
        this.#arrays.set(tensor, data);
        return { tensor, count };
      });
    return this.#share(runs);
  }

  /** The same vectors once more, which stay where they are until this one is released too. */
  held(block: Block): DeviceBlock<T> {
    return this.#share(this.of(block).runs);
  }

  /** Work with the runs of blocks as they lie now: others may bring them together, or release the blocks, meanwhile. */
  async #holding<R>(blocks: readonly Block[], work: (...runs: (readonly Run<T>[])[]) => Promise<R>): Promise<R> {
    const held = blocks.map((block) => this.held(block));
    try {
      // oxlint-disable-next-line stagewatch/spread -- the arguments that `work` names, two at most
      return await work(...held.map(({ runs }) => runs));
    } finally {
      for (const block of held) this.release(block);
    }
  }

  /** Slots that became no block. */
  giveBack({ data }: HostSlots): void {
    this.#pool.give(data);
  }

  /** Brings short runs together, before arithmetic that reads other vectors once for each of them. */
  async #compact(block: Block): Promise<void> {
    const mine = this.of(block);
    const { runs } = mine;
    if (firstToMerge(runs) === runs.length) return;
    const joined = await this.join([block]);
    // Somebody else may have been faster, or may have released the block.
    const isCurrent = mine.runs === runs && runs.every(({ tensor }) => this.#uses.has(tensor));
    if (!isCurrent) return this.release(joined);
    mine.moveTo(joined.runs);
    this.release(new DeviceBlock(runs));
  }

  #share(runs: readonly Run<T>[]): DeviceBlock<T> {
    for (const { tensor } of runs) this.#uses.set(tensor, (this.#uses.get(tensor) ?? 0) + 1);
    return new DeviceBlock(runs);
  }

  #program({ key, graph }: { readonly key: string; readonly graph: () => Graph }): Promise<Program<T>> {
    const program = this.#programs.get(key) ?? this.#executor.compile(graph(), { seldom: this.size > longNumbers });
    this.#programs.set(key, program);
    return program;
  }
}
