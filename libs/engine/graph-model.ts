import { gradient, linearize, type GradientGraph, type Graph, type LinearizedGraph } from '#graph/index.js';
import { output, type DeviceTensor, type Executor, type Program } from './executor.js';
import { planMemory, type MemoryPlan } from './memory-plan.js';
import { FlatMean, layoutOf, uploadParts, type ParameterLayout } from './parameter-layout.js';
import type { Linearization, ProbeModel } from './probe-model.js';
import type { FeedableProbeSet, Rows } from './probe-set.js';

export interface GraphModelOptions<T extends DeviceTensor> {
  /** A training graph, as `attachLoss` makes it. */
  readonly graph: Graph;
  readonly probeSet: FeedableProbeSet;
  readonly executor: Executor<T>;
  readonly memoryBytes: number;
}

type Tensors<T> = Readonly<Record<string, T>>;

/** A ProbeModel of a graph on an executor: feeds the probe set in chunks, adds up, divides by the number of examples. */
export class GraphModel<T extends DeviceTensor> implements ProbeModel {
  readonly parameters: ParameterLayout;
  readonly parameterCount: number;
  readonly examples: number;
  readonly device: string;
  readonly graph: Graph;
  readonly probeSet: FeedableProbeSet;
  readonly plan: MemoryPlan;
  readonly #executor: Executor<T>;
  readonly #linearized: LinearizedGraph;
  readonly #gradient: GradientGraph;
  readonly #programs = new Map<Graph, Promise<Program<T>>>();

  readonly #options: GraphModelOptions<T>;

  constructor(options: GraphModelOptions<T>) {
    const { graph, probeSet, executor, memoryBytes } = options;
    this.#options = options;
    this.graph = graph;
    this.probeSet = probeSet;
    this.parameters = layoutOf(graph);
    this.parameterCount = this.parameters.reduce((sum, { size }) => sum + size, 0);
    this.examples = probeSet.examples;
    this.device = executor.name;
    this.#executor = executor;
    this.#gradient = gradient(graph);
    this.#linearized = linearize(graph);
    this.plan = planMemory(this.#linearized, this.examples, memoryBytes);
  }

  async loss(theta: Float32Array): Promise<number> {
    const program = await this.#program(this.graph);
    const inputs = this.#theta(theta);
    let sum = 0;
    for (let chunk = 0; chunk < this.plan.chunks; chunk++) {
      sum += total(await this.#read(await program.run({ ...inputs, ...this.#chunk(chunk) }), 'losses'));
    }
    return sum / this.examples;
  }

  async gradient(theta: Float32Array): Promise<{ readonly loss: number; readonly gradient: Float32Array }> {
    const program = await this.#program(this.#gradient.graph);
    return this.#sumGradient(this.#gradient, (chunk) => program.run({ ...this.#theta(theta), ...this.#chunk(chunk) }));
  }

  async linearize(theta: Float32Array): Promise<Linearization> {
    const { primal, tangent } = this.#linearized;
    const primalProgram = await this.#program(primal.graph);
    const tangentProgram = await this.#program(tangent.graph);
    // The caller's array may change between products.
    const inputs = this.#theta(Float32Array.from(theta));
    const run = (chunk: number): Promise<Tensors<T>> => primalProgram.run({ ...inputs, ...this.#chunk(chunk) });
    const kept: Tensors<T>[] = [];
    const point = await this.#sumGradient(primal, async (chunk) => {
      const outputs = await run(chunk);
      if (chunk < this.plan.keptChunks) kept.push(pick(outputs, primal.kept));
      return outputs;
    });
    const multiply = async (vectors: readonly Float32Array[]): Promise<Float32Array[]> => {
      const sums = vectors.map(() => new FlatMean(this.parameters, this.examples));
      const uploaded = vectors.map((v) => this.#upload(v, tangent.vectors[0]!));
      for (let chunk = 0; chunk < this.plan.chunks; chunk++) {
        const fixed = { ...inputs, ...this.#chunk(chunk), ...(kept[chunk] ?? pick(await run(chunk), primal.kept)) };
        for (const [k, vector] of uploaded.entries()) {
          const outputs = await tangentProgram.run({ ...fixed, ...vector });
          sums[k]!.add(await this.#readAll(outputs, tangent.products[0]!));
        }
      }
      return sums.map((sum) => sum.value());
    };
    return { ...point, multiply, close: async () => void kept.splice(0) };
  }

  /** The same model on its first examples. */
  narrowed(examples: number): GraphModel<T> {
    const first = (rows: Rows): Rows => ({ ...rows, data: rows.data.subarray(0, examples * rows.rowSize) });
    const { x, y } = this.probeSet;
    return new GraphModel({ ...this.#options, probeSet: { examples, x: first(x), y: first(y) } });
  }

  async close(): Promise<void> {
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    for (const program of programs) await (await program).close();
  }

  async #sumGradient(
    graph: GradientGraph,
    run: (chunk: number) => Promise<Tensors<T>>,
  ): Promise<{ readonly loss: number; readonly gradient: Float32Array }> {
    const sum = new FlatMean(this.parameters, this.examples);
    let loss = 0;
    for (let chunk = 0; chunk < this.plan.chunks; chunk++) {
      const outputs = await run(chunk);
      loss += total(await this.#read(outputs, graph.losses));
      sum.add(await this.#readAll(outputs, graph.gradients));
    }
    return { loss: loss / this.examples, gradient: sum.value() };
  }

  #program(graph: Graph): Promise<Program<T>> {
    let program = this.#programs.get(graph);
    if (program === undefined) {
      program = this.#executor.compile(graph);
      this.#programs.set(graph, program);
    }
    return program;
  }

  #theta(theta: Float32Array): Tensors<T> {
    return this.#upload(
      theta,
      this.parameters.map(({ name }) => name),
    );
  }

  #upload(vector: Float32Array, names: readonly string[]): Tensors<T> {
    if (vector.length !== this.parameterCount) {
      throw new RangeError(`A vector of ${vector.length} numbers for a model of ${this.parameterCount} parameters`);
    }
    return uploadParts(this.#executor, this.parameters, vector, names);
  }

  #chunk(chunk: number): Tensors<T> {
    const from = chunk * this.plan.chunkExamples;
    const to = Math.min(this.examples, from + this.plan.chunkExamples);
    const upload = ({ shape, rowSize, data }: Rows): T =>
      this.#executor.upload([to - from, ...shape], data.subarray(from * rowSize, to * rowSize));
    const { x, y } = this.probeSet;
    return { [x.name]: upload(x), [y.name]: upload(y) };
  }

  #readAll(outputs: Tensors<T>, names: readonly string[]): Promise<(Float32Array | Float64Array)[]> {
    return Promise.all(names.map((name) => this.#read(outputs, name)));
  }

  #read(outputs: Tensors<T>, name: string): Promise<Float32Array | Float64Array> {
    return this.#executor.download(output(outputs, name));
  }
}

function pick<T>(outputs: Tensors<T>, names: readonly string[]): Tensors<T> {
  return Object.fromEntries(names.map((name) => [name, output(outputs, name)]));
}

function total(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum;
}
