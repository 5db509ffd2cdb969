import { createRandom } from '#math/random.js';
import type { CompiledModel } from './create-probe-model.js';
import { executorDifferences, referenceDifferences, type Differences, type Point } from './finite-differences.js';

export interface ProductCheck {
  readonly ok: boolean;
  /** Relative: the larger one of the gradient's and of the product's. */
  readonly error: number;
  /** One sentence, for a person. */
  readonly reason: string;
}

/** Of 1 + ‖θ‖: far enough from a kink for the step, and near enough to be the same network. */
const asideShare = 1e-2;
/** Relative to 1 + loss: gradients and products below this are rounding in float32. */
const smallest = 1e-6;
/** Multiplications that the interpreter does in about three seconds. */
const interpretedOperations = 3e8;
/** Few, because the interpreter is slow and because few of them cross a kink of ReLU inside the step. */
const checkedExamples = 8;

/**
 * Compares the gradient and one Hessian-vector product of the model's executor with central differences, on its first few
 * examples: the gradient with differences of the loss, the product with differences of the gradient. A reading of a model that
 * is not ok must not be shown.
 *
 * Differences are taken in double precision on the reference interpreter. A network too large for it is compared with
 * differences of its own executor in single precision, which see errors from a few per cent on.
 *
 * Differences are meaningless on a kink, where ReLU networks start whose weights or biases are zero: what disagrees is
 * looked at once more a little beside θ. Derivatives that are wrong are wrong there too.
 */
export async function checkProduct(
  model: CompiledModel,
  theta: Float32Array,
  { maxOperations = interpretedOperations }: { readonly maxOperations?: number } = {},
): Promise<ProductCheck> {
  const few = model.narrowed(Math.min(checkedExamples, model.examples));
  try {
    const differences = referenceDifferences(few, maxOperations) ?? executorDifferences(few);
    const check = await checkAt(few, differences, theta);
    return check.ok || Number.isNaN(check.error) ? check : await checkAt(few, differences, beside(theta));
  } finally {
    await few.close();
  }
}

function beside(theta: Float32Array): Float32Array {
  const random = createRandom(2);
  const distance = (asideShare * (1 + length(theta))) / Math.sqrt(theta.length);
  return theta.map((x) => x + distance * random.normal());
}

async function checkAt(model: CompiledModel, differences: Differences, theta: Float32Array): Promise<ProductCheck> {
  const point = await model.linearize(theta);
  const direction = directionFor(point.gradient);
  const [product] = await point.multiply([Float32Array.from(direction)]);
  await point.close();
  const floor = smallest * (1 + Math.abs(point.loss));
  const errors = { gradient: Number.POSITIVE_INFINITY, product: Number.POSITIVE_INFINITY };
  const { tolerance } = differences;
  // A larger step has more of the curve in it, a smaller one more of the rounding: one of them must agree.
  for (const relative of differences.steps) {
    const step = relative * (1 + length(theta));
    const [ahead, behind] = [await differences.at(theta, direction, step), await differences.at(theta, direction, -step)];
    const seen = errorsAt(point.gradient, product!, direction, { ahead, behind, step, floor });
    if (Number.isNaN(seen.gradient + seen.product)) return verdict(Number.NaN, errors, tolerance);
    errors.gradient = Math.min(errors.gradient, seen.gradient);
    errors.product = Math.min(errors.product, seen.product);
    if (errors.gradient <= tolerance && errors.product <= tolerance) break;
  }
  return verdict(point.loss, errors, tolerance);
}

interface Errors {
  gradient: number;
  product: number;
}

function errorsAt(
  gradient: Float32Array,
  product: Float32Array,
  direction: Float64Array,
  { ahead, behind, step, floor }: { ahead: Point; behind: Point; step: number; floor: number },
): Errors {
  const slope = (ahead.loss - behind.loss) / (2 * step);
  const expected = Float64Array.from(ahead.gradient, (g, i) => (g - behind.gradient[i]!) / (2 * step));
  return {
    gradient: Math.abs(inner(gradient, direction) - slope) / Math.max(Math.abs(slope), floor),
    product: length(expected.map((x, i) => x - product[i]!)) / Math.max(length(expected), floor),
  };
}

function verdict(loss: number, errors: Errors, tolerance: number): ProductCheck {
  const error = Math.max(errors.gradient, errors.product);
  if (!Number.isFinite(loss) || !Number.isFinite(error)) {
    return {
      ok: false,
      error: Number.NaN,
      reason: 'The loss or its derivatives are not finite, so they cannot be checked.',
    };
  }
  const shown = `differs from finite differences by ${(100 * error).toPrecision(2)} %`;
  if (errors.gradient > tolerance) return { ok: false, error, reason: `The gradient of the model ${shown}.` };
  if (errors.product > tolerance) return { ok: false, error, reason: `The Hessian-vector product of the model ${shown}.` };
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

function inner(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const length = (a: ArrayLike<number>): number => Math.sqrt(inner(a, a));
