import { gradient, referenceTensor, runReference, type Graph, type ReferenceTensor } from '#graph/index.js';
import { createRandom } from '#math/random.js';
import type { CompiledModel } from './create-probe-model.js';
import type { Rows } from './probe-set.js';

export interface ProductCheck {
  readonly ok: boolean;
  /** Relative: the larger one of the gradient's and of the product's. */
  readonly error: number;
  /** One sentence, for a person. */
  readonly reason: string;
}

/** What float32 products may differ by from finite differences in double precision; a wrong derivative differs by more. */
const tolerance = 2e-3;
/** Of θ. In double precision the cut-off and the rounding of a central difference are then both far below the tolerance. */
const relativeStep = 1e-6;
/** Of 1 + ‖θ‖: far enough from a kink for the step, and near enough to be the same network. */
const asideShare = 1e-2;
/** Relative to 1 + loss: gradients and products below this are rounding in float32. */
const smallest = 1e-6;
/** Few, because the interpreter is slow and because few of them cross a kink of ReLU inside the step. */
const checkedExamples = 8;

/**
 * Compares the gradient and one Hessian-vector product of the model's executor with central differences in double
 * precision, on its first few examples: the gradient with differences of the loss, the product with differences of the
 * gradient. A reading of a model that is not ok must not be shown.
 *
 * Differences are meaningless on a kink, where ReLU networks start whose weights or biases are zero: what disagrees is
 * looked at once more a little beside θ. Derivatives that are wrong are wrong there too.
 */
export async function checkProduct(model: CompiledModel, theta: Float32Array): Promise<ProductCheck> {
  const few = model.narrowed(Math.min(checkedExamples, model.examples));
  try {
    const oracle = new Oracle(few);
    const check = await checkAt(few, oracle, theta);
    return check.ok || Number.isNaN(check.error) ? check : await checkAt(few, oracle, beside(theta));
  } finally {
    await few.close();
  }
}

function beside(theta: Float32Array): Float32Array {
  const random = createRandom(2);
  const distance = (asideShare * (1 + length(theta))) / Math.sqrt(theta.length);
  return theta.map((x) => x + distance * random.normal());
}

async function checkAt(model: CompiledModel, oracle: Oracle, theta: Float32Array): Promise<ProductCheck> {
  const point = await model.linearize(theta);
  const direction = directionFor(point.gradient);
  const [product] = await point.multiply([Float32Array.from(direction)]);
  await point.close();
  const step = relativeStep * (1 + length(theta));
  const [ahead, behind] = [step, -step].map((s) => oracle.at(theta, direction, s)) as [Point, Point];
  const slope = (ahead.loss - behind.loss) / (2 * step);
  const expected = ahead.gradient.map((g, i) => (g - behind.gradient[i]!) / (2 * step));

  const floor = smallest * (1 + Math.abs(point.loss));
  const gradientError = Math.abs(inner(point.gradient, direction) - slope) / Math.max(Math.abs(slope), floor);
  const productError = length(expected.map((x, i) => x - product![i]!)) / Math.max(length(expected), floor);
  return verdict(point.loss, gradientError, productError);
}

function verdict(loss: number, gradientError: number, productError: number): ProductCheck {
  const error = Math.max(gradientError, productError);
  if (!Number.isFinite(loss) || !Number.isFinite(error)) {
    return { ok: false, error: Number.NaN, reason: 'The loss or its derivatives are not finite, so they cannot be checked.' };
  }
  const shown = `differs from finite differences by ${(100 * error).toPrecision(2)} %`;
  if (gradientError > tolerance) return { ok: false, error, reason: `The gradient of the model ${shown}.` };
  if (productError > tolerance) return { ok: false, error, reason: `The Hessian-vector product of the model ${shown}.` };
  return { ok: true, error, reason: `One Hessian-vector product ${shown}.` };
}

/** Along the gradient and across it: neither the slope nor the product is a small difference of large numbers then. */
function directionFor(slope: Float32Array): Float64Array {
  const random = createRandom(1);
  const noise = Float64Array.from(slope, () => random.normal());
  const [slopeLength, noiseLength] = [length(slope), length(noise)];
  const mixed = noise.map((x, i) => x / noiseLength + (slopeLength > 0 ? slope[i]! / slopeLength : 0));
  const mixedLength = length(mixed);
  // Rounded to float32, so that both sides go in the same direction.
  return Float64Array.from(mixed, (x) => Math.fround(x / mixedLength));
}

interface Point {
  readonly loss: number;
  readonly gradient: Float64Array;
}

/** Loss and gradient in double precision, at θ + s·direction. */
class Oracle {
  readonly #model: CompiledModel;
  readonly #graph: Graph;
  readonly #names: { readonly losses: string; readonly gradients: readonly string[] };
  readonly #examples: Record<string, ReferenceTensor>;

  constructor(model: CompiledModel) {
    const { graph, losses, gradients } = gradient(model.graph);
    this.#model = model;
    this.#graph = graph;
    this.#names = { losses, gradients };
    const tensor = ({ shape, data }: Rows): ReferenceTensor => referenceTensor([model.examples, ...shape], data);
    const { x, y } = model.probeSet;
    this.#examples = { [x.name]: tensor(x), [y.name]: tensor(y) };
  }

  at(theta: Float32Array, direction: Float64Array, s: number): Point {
    const inputs: Record<string, ReferenceTensor> = { ...this.#examples };
    for (const { name, shape, offset, size } of this.#model.parameters) {
      inputs[name] = referenceTensor(
        shape,
        Float64Array.from({ length: size }, (_, i) => theta[offset + i]! + s * direction[offset + i]!),
      );
    }
    const outputs = runReference(this.#graph, inputs);
    const mean = (name: string): Float64Array => outputs[name]!.data.map((value) => value / this.#model.examples);
    const flat = new Float64Array(theta.length);
    for (const [i, { offset }] of this.#model.parameters.entries()) flat.set(mean(this.#names.gradients[i]!), offset);
    return { loss: mean(this.#names.losses).reduce((a, b) => a + b, 0), gradient: flat };
  }
}

function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const length = (a: ArrayLike<number>): number => Math.sqrt(inner(a, a));
