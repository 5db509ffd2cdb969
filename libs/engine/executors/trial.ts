import { attachLoss, gradient, mlp, referenceTensor, runReference, type GraphInput, type ReferenceTensor } from '#graph/index.js';
import { resolveShape } from '#graph/shapes.js';
import { createRandom } from '#math/random.js';
import { output, type DeviceTensor, type Executor } from '../executor.js';

/** A gradient of a network of middle size: matrix products, elementwise work and reductions in the usual mixture. */
const representative = gradient(
  attachLoss(mlp({ sizes: [256, 128, 128, 10], activation: 'tanh' }), {
    kind: 'cross-entropy',
    reduction: 'sum-outputs',
    halved: false,
  }),
);
const timedExamples = 512;
const checkedExamples = 4;
const timedRuns = 5;
/** Far more than float32 rounding, far less than any mistake. */
const tolerance = 1e-3;
/** One that is so much slower than the fastest is not tried again. */
const hopeless = 8;

export interface Trial {
  /** Of one gradient: the fastest of a few, because everything that disturbs a run makes it slower. */
  readonly ms: number;
  /** Relative, of the gradient against double precision. */
  readonly error: number;
  readonly right: boolean;
}

function inputsOf(examples: number): Record<string, ReferenceTensor> {
  const random = createRandom(11);
  const numbers = ({ shape, encoding }: GraphInput): ReferenceTensor => {
    const fixed = resolveShape(shape, examples);
    const size = fixed.reduce((a, b) => a * b, 1);
    const classes = fixed.at(-1) ?? 1;
    const at = (i: number): number =>
      encoding === 'one-hot' ? Number(i % classes === Math.floor(i / classes) % classes) : 0.1 * random.normal();
    return referenceTensor(
      fixed,
      Float64Array.from({ length: size }, (_, i) => at(i)),
    );
  };
  return Object.fromEntries(representative.graph.inputs.map((input) => [input.name, numbers(input)]));
}

/** Runs the representative gradient: is it right, and how long does it take? `bestMs` is the fastest so far. */
export async function tryExecutor<T extends DeviceTensor>(
  executor: Executor<T>,
  bestMs = Number.POSITIVE_INFINITY,
): Promise<Trial> {
  const program = await executor.compile(representative.graph);
  const run = async (inputs: Readonly<Record<string, ReferenceTensor>>): Promise<ArrayLike<number>> => {
    const fed = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, data }]) => [name, executor.upload(shape, Float32Array.from(data))]),
    );
    const outputs = await program.run(fed);
    const first = await executor.download(output(outputs, representative.gradients[0]!));
    const kept = Float64Array.from(first);
    for (const tensor of [...Object.values(fed), ...Object.values(outputs)]) executor.release(tensor);
    return kept;
  };
  try {
    const few = inputsOf(checkedExamples);
    const error = distance(await run(few), runReference(representative.graph, few)[representative.gradients[0]!]!.data);
    const many = inputsOf(timedExamples);
    let ms = Number.POSITIVE_INFINITY;
    // The first run may compile kernels.
    await run(many);
    for (let turn = 0; turn < timedRuns; turn++) {
      const started = performance.now();
      await run(many);
      ms = Math.min(ms, performance.now() - started);
      if (ms > hopeless * bestMs) break;
    }
    return { ms, error, right: error <= tolerance };
  } finally {
    await program.close();
  }
}

function distance(actual: ArrayLike<number>, expected: Float64Array): number {
  const scale = expected.reduce((top, x) => Math.max(top, Math.abs(x)), 0);
  return expected.reduce((worst, x, i) => Math.max(worst, Math.abs(x - actual[i]!)), 0) / scale;
}
