import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  checkProduct,
  initialOf,
  loadModelFile,
  openProbeModel,
  parametersFrom,
  randomProbeSet,
  readProbeSet,
  readTensors,
  type CompiledModel,
  type Linearization,
  type ModelFileOptions,
} from '#engine/index.js';
import { inputsOf, type LossSpec } from '#graph/index.js';
import { trackTop, type TrackResult } from '#math/ritz-tracker.js';
import { norm } from '#math/vectors.js';

export interface FileMeasurementOptions {
  /** Paths. */
  readonly model: string;
  /** Without it, the values in the model's file. */
  readonly parameters?: string | undefined;
  /** A path, or a number of made-up examples. */
  readonly probe: string | number;
  readonly loss: LossSpec;
  /** How the model's file is to be read, where it does not say so itself. */
  readonly reading?: ModelFileOptions | undefined;
  /** How many eigenvalues (1). */
  readonly top: number;
  /** Of each eigenvalue, relative. */
  readonly tolerance: number;
  readonly executor: string;
  readonly memoryBytes: number;
  readonly threads?: number | undefined;
  /** Where `stagewatch setup tfjs` put its library. */
  readonly tfjsDir?: string | undefined;
  readonly seed: number;
  /** Compares derivatives with finite differences first. */
  readonly check: boolean;
  readonly signal: AbortSignal;
  /** What is being done now, as a few words. */
  readonly progress: (doing: string) => void;
}

export interface FileMeasurement {
  readonly loss: number;
  readonly gradientNorm: number;
  /** Largest first; empty where a product is not finite. */
  readonly top: readonly { readonly value: number; readonly bound: number }[];
  /** False when the products that one may spend were not enough for the tolerance. */
  readonly converged: boolean;
  /** Matrix-vector products that were spent. */
  readonly products: number;
  readonly productMs: number;
  readonly seconds: number;
  readonly device: string;
  readonly parameters: number;
  readonly examples: number;
  /** True for made-up examples. */
  readonly random: boolean;
  /** Tensors of the file of parameters that the model does not train. */
  readonly ignored: readonly string[];
  readonly check: { readonly ok: boolean; readonly reason: string } | undefined;
}

const maxProducts = 500;

/** Loss, gradient norm and leading eigenvalues of the Hessian of a model in a file. Throws a StagewatchError that names what does not fit. */
export async function measureFile(options: FileMeasurementOptions): Promise<FileMeasurement> {
  const { progress, signal, probe } = options;
  const start = performance.now();
  progress('reading the model');
  const folder = dirname(options.model);
  const loaded = loadModelFile(
    { bytes: readFileSync(options.model), beside: (path) => readIfThere(join(folder, path)) },
    options.loss,
    options.reading,
  );
  const { graph } = loaded;
  const names = inputsOf(graph, 'data').map(({ name }) => name);
  const probeSet =
    typeof probe === 'number' ? randomProbeSet(graph, probe, options.seed) : readProbeSet(readFileSync(probe), names);
  progress('choosing what computes');
  const { executor, memoryBytes, threads, tfjsDir, loss } = options;
  const model = await openProbeModel({ graph, probeSet, executor, memoryBytes, threads, tfjsDir, loss });
  try {
    const { theta, ignored } =
      options.parameters === undefined
        ? initialOf(loaded)
        : parametersFrom(readTensors(readFileSync(options.parameters)), model.parameters);
    signal.throwIfAborted();
    if (options.check) progress('comparing derivatives with differences');
    const check = options.check ? await checkProduct(model, theta) : undefined;
    const chunk = (done: number, of: number): void => progress(`preparing products: ${done} of ${of} parts`);
    const point = await model.linearize(theta, { signal, progress: chunk });
    const { result, productSeconds } = await solve(model, point, options);
    await point.close();
    const found = result.kind === 'found';
    return {
      loss: point.loss,
      gradientNorm: norm(point.gradient),
      top: found ? result.values.slice(0, options.top).map((value, i) => ({ value, bound: result.bounds[i]! })) : [],
      converged: found && result.converged,
      products: result.products,
      productMs: (1000 * productSeconds) / Math.max(1, result.products),
      seconds: (performance.now() - start) / 1000,
      device: model.device,
      parameters: model.parameterCount,
      examples: model.examples,
      random: typeof probe === 'number',
      ignored,
      check: check && { ok: check.ok, reason: check.reason },
    };
  } finally {
    await model.close();
  }
}

async function solve(
  { space }: CompiledModel,
  point: Linearization,
  { top, tolerance, seed, signal, progress }: FileMeasurementOptions,
): Promise<{ readonly result: TrackResult; readonly productSeconds: number }> {
  let products = 0;
  let productMs = 0;
  const multiply: Linearization['multiplyBlock'] = async (block) => {
    const start = performance.now();
    const product = await point.multiplyBlock(block, {
      signal,
      progress: (done, of) => progress(`${products} products done, ${Math.floor((100 * done) / of)} % of the next`),
    });
    productMs += performance.now() - start;
    products += block.count;
    return product;
  };
  const result = await trackTop(
    { space, multiply },
    { keep: Math.max(4, top), converge: top, relativeTolerance: tolerance, seed, maxProducts },
  );
  return { result, productSeconds: productMs / 1000 };
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
