import { fixedSize, freeAxes, isFree, type Graph, type LinearizedGraph, type Shape } from '#graph/index.js';

const bytesPerNumber = 4;
/** Of the budget: for what one run holds while it computes; the rest is for what is kept between products. */
const runningShare = 0.35;
/** More examples at once gain no speed and make the first answer late. */
const maxChunkExamples = 8192;

export interface MemoryPlan {
  /** Examples in one run. */
  readonly chunkExamples: number;
  /** How many leading chunks keep their primal results; the others compute them again in every product. */
  readonly keptChunks: number;
  readonly chunks: number;
}

/** How a probe set of this size goes through a model within a memory budget: a large one costs time and not memory. */
export function planMemory(linearized: LinearizedGraph, examples: number, memoryBytes: number): MemoryPlan {
  const { primal, tangent } = linearized;
  // An upper bound: the executor gives back what is not needed any more.
  const running = Math.max(runningBytes(primal.graph), runningBytes(tangent.graph));
  const chunkExamples = Math.max(
    1,
    Math.min(examples, maxChunkExamples, Math.floor((memoryBytes * runningShare) / Math.max(1, running))),
  );
  const chunks = Math.ceil(examples / chunkExamples);
  const keptNames = new Set(primal.kept);
  const kept = primal.graph.outputs.filter(({ name }) => keptNames.has(name)).map(({ shape }) => shape);
  const keptPerChunk = kept.reduce((sum, shape) => sum + bytes(shape, chunkExamples), 0);
  const room = memoryBytes * (1 - runningShare);
  return { chunkExamples, chunks, keptChunks: Math.min(chunks, Math.floor(room / Math.max(1, keptPerChunk))) };
}

/** Of all values that grow with the number of examples, for one example. */
function runningBytes(graph: Graph): number {
  return [...graph.inputs, ...graph.nodes]
    .filter(({ shape }) => shape.some(isFree))
    .reduce((sum, { shape }) => sum + bytes(shape, 1), 0);
}

function bytes(shape: Shape, examples: number): number {
  return fixedSize(shape) * bytesPerNumber * examples ** freeAxes(shape);
}
