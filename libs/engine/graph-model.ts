import {
  forVectors,
  gaussNewton,
  generalizedFisher,
  gradient,
  linearize,
  mixesExamples,
  type GradientGraph,
  type Graph,
  type LinearizedGraph,
  type LossSpec,
  type TangentGraph,
} from '#graph/index.js';
import type { Block, VectorSpace } from '#math/vector-space.js';
import { apartGraph, checkRows, rowsOf, type Apart } from './apart.js';
import { output, type DeviceTensor, type Executor, type Program } from './executor.js';
import { ExecutorSpace } from './executor-space.js';
import { withFixedExamples } from './fixed-examples.js';
import { GraphLinearization } from './linearization.js';
import { planChunks, planMemory, type MemoryPlan, type PlannedLinearization } from './memory-plan.js';
import { flatten, layoutOf, PartSums, total, uploadParts, type ParameterLayout } from './parameter-layout.js';
import { ProbeFeeds, releaseAll } from './probe-feeds.js';
import type {
  CurvatureKind,
  Linearization,
  LinearizeOptions,
  PerExampleLoss,
  Prediction,
  ProbeModel,
  Work,
} from './probe-model.js';
import { pickRows, type FeedableProbeSet } from './probe-set.js';
import { deviceParts } from './device-parts.js';
import { hostParts, joinParts, type VectorParts } from './vector-parts.js';

export interface GraphModelOptions<T extends DeviceTensor> {
  /** A training graph, as `attachLoss` makes it. */
  readonly graph: Graph;
  readonly probeSet: FeedableProbeSet;
  readonly executor: Executor<T>;
  readonly memoryBytes: number;
  /** The loss that was attached; the Fisher information needs it. */
  readonly loss?: LossSpec | undefined;
}

type Tensors<T> = Readonly<Record<string, T>>;
type Numbers = Float32Array | Float64Array;
type Read = (name: string) => Promise<Numbers>;

/** A ProbeModel of a graph on an executor: feeds the probe set in chunks, adds up, divides by the weight of all examples. */
export class GraphModel<T extends DeviceTensor> implements ProbeModel {
  readonly parameters: ParameterLayout;
  readonly parameterCount: number;
  readonly examples: number;
  readonly device: string;
  readonly graph: Graph;
  readonly probeSet: FeedableProbeSet;
  readonly #options: GraphModelOptions<T>;
  readonly #space: ExecutorSpace<T>;
  readonly #vectors: VectorParts<T>;
  readonly #programs = new Map<Graph, Promise<Program<T>>>();
  readonly #linearized = new Map<CurvatureKind, PlannedLinearization>();
  readonly #tangents = new Map<Graph, Map<number, TangentGraph>>();
  readonly #chunkSizes = new Map<Graph, number>();
  #gradient: GradientGraph | undefined;
  #perExampleGradient: Apart | undefined;

  constructor(options: GraphModelOptions<T>) {
    const { graph, probeSet, executor } = options;
    this.#options = options;
    this.graph = graph;
    this.probeSet = probeSet;
    this.parameters = layoutOf(graph);
    this.parameterCount = this.parameters.reduce((sum, { size }) => sum + size, 0);
    this.examples = probeSet.examples;
    this.device = executor.name;
    this.#space = new ExecutorSpace(executor, this.parameterCount);
    this.#vectors = (executor.inHostMemory === true ? hostParts : deviceParts)(executor, this.#space, this.parameters);
  }

  get space(): VectorSpace {
    return this.#space;
  }

  /** Of products with the Hessian. */
  get plan(): MemoryPlan {
    return this.#linearization('hessian').plan;
  }

  /** What a linearization keeps between products with the Hessian. */
  get keptBytes(): number {
    return this.#linearization('hessian').keptBytes;
  }

  async loss(theta: Float32Array, work: Work = {}): Promise<number> {
    const { losses, weight } = await this.#perExample(theta, work);
    return total(losses) / weight;
  }

  async gradient(theta: Float32Array, work: Work = {}): Promise<{ readonly loss: number; readonly gradient: Float32Array }> {
    const derived = (this.#gradient ??= gradient(this.graph));
    const sums = new PartSums();
    const scalars = { loss: 0, weight: 0 };
    await this.#inChunks(derived.graph, theta, work, async (read) => {
      const losses = await read(derived.losses);
      scalars.loss += total(losses);
      scalars.weight += derived.weights === undefined ? losses.length : total(await read(derived.weights));
      sums.add(await Promise.all(derived.gradients.map(read)));
    });
    return { loss: scalars.loss / scalars.weight, gradient: flatten(this.parameters, sums.parts, scalars.weight) };
  }

  async perExampleLoss(theta: Float32Array, work: Work = {}): Promise<PerExampleLoss> {
    const { losses, weights } = await this.#perExample(theta, work);
    return { losses, weights };
  }

  async predict(theta: Float32Array, work: Work = {}): Promise<Prediction> {
    const { shape } = this.graph.outputs.find(({ name }) => name === 'prediction')!;
    const parts: Numbers[] = [];
    await this.#inChunks(this.graph, theta, work, async (read) => void parts.push(await read('prediction')));
    const data = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
    let offset = 0;
    for (const part of parts) {
      data.set(part, offset);
      offset += part.length;
    }
    return { shape: [this.examples, ...shape.slice(1).map(Number)], data };
  }

  async perExampleGradients(theta: Float32Array, rows: readonly number[], work: Work = {}): Promise<Block> {
    checkRows(rows, this, this.#options.memoryBytes);
    const { graph, gradients, together } = (this.#perExampleGradient ??= apartGraph(
      this.graph,
      () => (this.#gradient ??= gradient(this.graph)),
    ));
    const inputs = this.probeSet.inputs.map((input) => pickRows(input, rows));
    const few = { examples: rows.length, inputs };
    const { memoryBytes } = this.#options;
    const chunkExamples = together ? planChunks([graph], Math.max(1, rows.length), memoryBytes, false).chunkExamples : 1;
    const blocks: Block[] = [];
    const take = async (read: Read, examples: number): Promise<void> => {
      const stacks = await Promise.all(gradients.map(read));
      blocks.push(joinParts(this.#space, this.parameters, rowsOf(this.parameters, stacks, examples)));
    };
    await this.#inChunks(graph, theta, work, take, { probeSet: few, chunkExamples });
    const all = await this.#space.join(blocks);
    for (const block of blocks) this.#space.release(block);
    return all;
  }

  async linearize(theta: Float32Array, options: LinearizeOptions = {}): Promise<Linearization> {
    const { linearized, plan } = this.#linearization(options.kind ?? 'hessian');
    const { executor } = this.#options;
    const primal = await this.#program(linearized.primal.graph);
    return GraphLinearization.at(
      {
        executor,
        space: this.#space,
        parameters: this.parameters,
        vectors: this.#vectors,
        linearized,
        plan,
        feeds: new ProbeFeeds(executor, this.probeSet, plan.chunkExamples),
        // The caller's array may change between products.
        theta: this.#theta(Float32Array.from(theta)),
        primal,
        tangent: (vectors) => this.#tangent(linearized, vectors, plan),
      },
      options,
    );
  }

  /** The same model on its first examples. */
  narrowed(examples: number): GraphModel<T> {
    const inputs = this.probeSet.inputs.map((rows) => ({ ...rows, data: rows.data.subarray(0, examples * rows.rowSize) }));
    return new GraphModel({ ...this.#options, probeSet: { examples, inputs } });
  }

  async close(): Promise<void> {
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    for (const program of programs) await (await program).close();
    await this.#vectors.close();
    await this.#space.close();
  }

  #linearization(kind: CurvatureKind): PlannedLinearization {
    const { memoryBytes } = this.#options;
    let planned = this.#linearized.get(kind);
    if (planned === undefined) {
      planned = planMemory(this.#derived(kind), this.examples, memoryBytes, mixesExamples(this.graph));
      this.#linearized.set(kind, planned);
    }
    return planned;
  }

  #derived(kind: CurvatureKind): LinearizedGraph {
    if (kind === 'hessian') return linearize(this.graph, { divisor: this.examples });
    if (kind === 'gauss-newton') return gaussNewton(this.graph);
    const { loss } = this.#options;
    if (loss === undefined) throw new Error('The Fisher information needs to know which loss was attached');
    return generalizedFisher(this.graph, loss);
  }

  async #tangent(
    { tangent }: LinearizedGraph,
    vectors: number,
    { chunks }: MemoryPlan,
  ): Promise<{ graph: TangentGraph; program: Program<T> }> {
    const known = this.#tangents.get(tangent.graph) ?? new Map<number, TangentGraph>();
    this.#tangents.set(tangent.graph, known);
    let graph = known.get(vectors);
    if (graph === undefined) {
      graph = vectors === 1 ? tangent : forVectors(tangent, vectors);
      if (chunks === 1 && this.#options.executor.packsConstants === true) graph = withFixedExamples(graph, this.probeSet);
      known.set(vectors, graph);
    }
    return { graph, program: await this.#program(graph.graph) };
  }

  async #perExample(theta: Float32Array, work: Work): Promise<PerExampleLoss & { readonly weight: number }> {
    const weighted = this.graph.outputs.some(({ name }) => name === 'weights');
    const losses = new Float64Array(this.examples);
    const weights = weighted ? new Float64Array(this.examples) : undefined;
    let from = 0;
    await this.#inChunks(this.graph, theta, work, async (read, examples) => {
      losses.set(await read('losses'), from);
      weights?.set(await read('weights'), from);
      from += examples;
    });
    return { losses, weights, weight: weights === undefined ? this.examples : total(weights) };
  }

  /** Runs a graph on each chunk of the probe set, or of another one. */
  async #inChunks(
    graph: Graph,
    theta: Float32Array,
    { signal, progress }: Work,
    take: (read: Read, examples: number) => Promise<void>,
    other?: { readonly probeSet: FeedableProbeSet; readonly chunkExamples: number },
  ): Promise<void> {
    const { executor } = this.#options;
    const probeSet = other?.probeSet ?? this.probeSet;
    const chunkExamples = other?.chunkExamples ?? this.#chunkExamples(graph);
    const feeds = new ProbeFeeds(executor, probeSet, chunkExamples);
    const program = await this.#program(graph);
    const parameters = this.#theta(theta);
    try {
      for (let chunk = 0; chunk < feeds.chunks; chunk++) {
        signal?.throwIfAborted();
        const examples = feeds.chunk(chunk);
        const outputs = await program.run({ ...parameters, ...examples });
        releaseAll(executor, examples);
        const count = Math.min(chunkExamples, probeSet.examples - chunk * chunkExamples);
        await take((name) => executor.download(output(outputs, name)), count);
        releaseAll(executor, outputs);
        progress?.(chunk + 1, feeds.chunks);
      }
    } finally {
      releaseAll(executor, parameters);
    }
  }

  #chunkExamples(graph: Graph): number {
    const known = this.#chunkSizes.get(graph);
    if (known !== undefined) return known;
    const { memoryBytes } = this.#options;
    const { chunkExamples } = planChunks([graph], this.examples, memoryBytes, mixesExamples(this.graph));
    this.#chunkSizes.set(graph, chunkExamples);
    return chunkExamples;
  }

  #program(graph: Graph): Promise<Program<T>> {
    let program = this.#programs.get(graph);
    if (program === undefined) {
      program = this.#options.executor.compile(graph);
      this.#programs.set(graph, program);
    }
    return program;
  }

  #theta(theta: Float32Array): Tensors<T> {
    if (theta.length !== this.parameterCount) {
      throw new RangeError(`A vector of ${theta.length} numbers for a model of ${this.parameterCount} parameters`);
    }
    const names = this.parameters.map(({ name }) => name);
    return uploadParts(this.#options.executor, this.parameters, theta, names);
  }
}
