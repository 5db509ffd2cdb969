import { StagewatchError } from '#runtime/errors.js';

/** What is known of a model before it is compiled. */
export interface ModelSize {
  readonly parameters: number;
  /** Of the graph and the probe set, as they were sent. */
  readonly graphBytes: number;
  readonly probeSetBytes: number;
}

export interface MemoryBudget {
  /** Vectors that a search for eigenvalues holds, each with its product. */
  readonly maxBasis: number;
  /** For the examples that are computed at once, and what is kept between products. */
  readonly modelBytes: number;
}

/** As many as a search likes, and as few as it can work with. */
const basis = { most: 16, least: 10 };
/** Beside those of the basis: parameters as sent and as numbers, gradient, the vector and the product of a run, results. */
const otherVectors = 8;
/** A graph and a probe set are there as they were sent and as what they say. */
const copies = 2;
/** Below this not even one example of a small model can be computed. */
const leastModelBytes = 32 * 1024 ** 2;
/** The rest is garbage that waits to be collected, and what a runtime takes for itself. */
const modelShare = 0.75;

/** Divides the memory of a measuring process. Throws a StagewatchError that says what the model would take when it is too little. */
export function budgetFor({ parameters, graphBytes, probeSetBytes }: ModelSize, memoryBytes: number): MemoryBudget {
  const vectorBytes = Math.max(4, 4 * parameters);
  const vectors = (size: number): number => (2 * size + otherVectors) * vectorBytes;
  const left = memoryBytes - copies * (graphBytes + probeSetBytes);
  const leastBytes = vectors(basis.least) + leastModelBytes;
  if (leastBytes > left) {
    throw new StagewatchError(
      'MEMORY_LIMIT',
      `To measure a model of ${parameters} parameters takes ${mebibytes(leastBytes + memoryBytes - left)}`,
      { expected: `at most the ${mebibytes(memoryBytes)} of STAGEWATCH_ENGINE_MEMORY_MIB` },
    );
  }
  const affordable = Math.floor(((left - leastModelBytes) / vectorBytes - otherVectors) / 2);
  const maxBasis = Math.min(basis.most, affordable);
  return { maxBasis, modelBytes: modelShare * (left - vectors(maxBasis)) };
}

const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MiB`;
