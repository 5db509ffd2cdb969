import { StagewatchError } from '#runtime/errors.js';
import {
  elementsOf,
  inputsOf,
  isFree,
  type DType,
  type Graph,
  type LinearizedGraph,
  type PrimalGraph,
  type Shape,
} from '#graph/index.js';
import { keepWithin } from '#graph/keep.js';
import { largest } from '#math/extremes.js';

/** Of the budget: for what one run holds while it computes; the rest is for what is kept between products. */
const runningShare = 0.35;
/** More examples at once gain no speed and make the first answer late. */
const maxChunkExamples = 8192;

/** What several vectors at once save is the calling; more of them gain little. */
const maxVectorsAtOnce = 4;
/** Products of longer vectors take so long that nothing is saved, and one at a time need no memory of their own. */
const longestTogether = 2 ** 20;

export interface MemoryPlan {
  /** Examples in one run. */
  readonly chunkExamples: number;
  /** How many leading chunks keep their primal results; the others compute them again in every product. */
  readonly keptChunks: number;
  readonly chunks: number;
  /** Vectors that go through the tangent graph together. */
  readonly vectorsAtOnce: number;
}

export interface PlannedLinearization {
  readonly plan: MemoryPlan;
  /** The same products from fewer kept results, where all of them would not fit. */
  readonly linearized: LinearizedGraph;
  /** Of all chunks together. */
  readonly keptBytes: number;
}

/** Chunks of a probe set of this size for runs of these graphs within this memory. */
export function planChunks(graphs: readonly Graph[], examples: number, memoryBytes: number, together: boolean): MemoryPlan {
  const running = largest(graphs.map(runningBytes), 1);
  const most = Math.max(1, Math.min(examples, Math.floor((memoryBytes * runningShare) / running)));
  if (together && most < examples) {
    throw new StagewatchError(
      'MEMORY_LIMIT',
      'Batch statistics tie the examples of this model together: it cannot be run in parts',
      {
        field: 'probe set',
        value: `${examples} examples in ${mebibytes(memoryBytes)}`,
        expected: `at most ${most} examples, or a memory of ${mebibytes((running * examples) / runningShare)}`,
      },
    );
  }
  const chunkExamples = together ? examples : Math.min(most, maxChunkExamples);
  return { chunkExamples, chunks: Math.ceil(examples / chunkExamples), keptChunks: 0, vectorsAtOnce: 1 };
}

/** How a probe set of this size goes through a model within a memory budget: a large one costs time and not memory. */
export function planMemory(
  linearized: LinearizedGraph,
  examples: number,
  memoryBytes: number,
  together = false,
): PlannedLinearization {
  const graphs = [linearized.primal.graph, linearized.tangent.graph];
  const first = planChunks(graphs, examples, memoryBytes, together);
  const room = memoryBytes * (1 - runningShare);
  const all = keptBytes(linearized, first.chunkExamples);
  if (all.shared + all.perChunk * first.chunks <= room) return planned(linearized, first, memoryBytes);
  const fewer = keepWithin(linearized, first.chunkExamples, (room - all.shared) / first.chunks + all.shared);
  const second = planChunks([fewer.primal.graph, fewer.tangent.graph], examples, memoryBytes, together);
  return planned(fewer, second, memoryBytes);
}

function planned(linearized: LinearizedGraph, plan: MemoryPlan, memoryBytes: number): PlannedLinearization {
  const room = memoryBytes * (1 - runningShare);
  const { shared, perChunk } = keptBytes(linearized, plan.chunkExamples);
  const keptChunks = Math.max(0, Math.min(plan.chunks, Math.floor((room - shared) / Math.max(1, perChunk))));
  const oneVector = Math.max(1, runningBytes(linearized.tangent.graph) * plan.chunkExamples);
  const together = Math.floor((memoryBytes * runningShare) / oneVector);
  const vectorBytes = inputsOf(linearized.tangent.graph, 'vector').reduce((sum, input) => sum + bytesOf(input, 1), 0);
  const vectorsAtOnce = vectorBytes > longestTogether ? 1 : Math.max(1, Math.min(maxVectorsAtOnce, together));
  return { linearized, plan: { ...plan, keptChunks, vectorsAtOnce }, keptBytes: shared + keptChunks * perChunk };
}

/** Kept results of parameters alone are there once, the others for each chunk. */
export function keptBytes({ primal }: LinearizedGraph, examples: number): { readonly shared: number; readonly perChunk: number } {
  const shared = keptOfParameters(primal);
  const names = new Set(primal.kept);
  const bytes = { shared: 0, perChunk: 0 };
  for (const kept of primal.graph.outputs) {
    if (names.has(kept.name)) bytes[shared.has(kept.name) ? 'shared' : 'perChunk'] += bytesOf(kept, examples);
  }
  return bytes;
}

/** Kept results that are the same for every chunk: no example has a part in them. */
export function keptOfParameters({ graph, kept }: PrimalGraph): ReadonlySet<string> {
  const ofExamples = new Set(graph.inputs.flatMap(({ name, role }) => (role === 'parameter' ? [] : [name])));
  for (const { op, inputs, output } of graph.nodes) {
    if (op === 'batchSize' || op === 'counting' || inputs.some((name) => ofExamples.has(name))) ofExamples.add(output);
  }
  const names = new Set(kept);
  return new Set(
    graph.outputs.flatMap(({ name, value, shape }) =>
      names.has(name) && !ofExamples.has(value) && !shape.some(isFree) ? [name] : [],
    ),
  );
}

/**
 * For one example, the most that is alive at once while a graph is run node by node: an executor gives back what nobody needs
 * any more. What does not grow with the examples is of the size of the parameters, and comes on top.
 */
export function runningBytes(graph: Graph): number {
  const lastUse = new Map<string, number>();
  for (const [i, { inputs }] of graph.nodes.entries()) for (const name of inputs) lastUse.set(name, i);
  for (const { value } of graph.outputs) lastUse.set(value, graph.nodes.length);
  const growing = (value: { readonly shape: Shape; readonly dtype: DType }): number =>
    value.shape.some(isFree) ? bytesOf(value, 1) : 0;
  const ended = new Map<number, number>();
  for (const node of graph.nodes) {
    const end = lastUse.get(node.output);
    if (end !== undefined) ended.set(end, (ended.get(end) ?? 0) + growing(node));
  }
  // Inputs stay for the whole run. What is kept is counted where it is kept.
  let alive = graph.inputs.reduce((sum, input) => sum + (input.role === 'kept' ? 0 : growing(input)), 0);
  let most = alive;
  for (const [i, node] of graph.nodes.entries()) {
    alive += growing(node);
    most = Math.max(most, alive);
    alive -= (ended.get(i) ?? 0) + (lastUse.has(node.output) ? 0 : growing(node));
  }
  return most;
}

const widths: Readonly<Record<DType, number>> = { float32: 4, int64: 8, bool: 1 };

export function bytesOf({ shape, dtype }: { readonly shape: Shape; readonly dtype: DType }, examples: number): number {
  return elementsOf(shape, examples) * widths[dtype];
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
