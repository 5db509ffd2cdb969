import { createRandom } from '#math/random.js';
import { norm } from '#math/vectors.js';
import type { CompiledModel } from './create-probe-model.js';

/** Of 1 + ‖θ‖, each a sixteenth of the one before. */
const steps = [1e-3, 1e-3 / 16, 1e-3 / 256];
/** Differences of the gradient that shrink with the step leave at most a sixteenth; those of a jump stay as they are. */
const keptShare = 0.5;
/** Of the gradient; below this it is rounding. */
const smallest = 1e-3;

/**
 * By how much the gradient jumps at θ, relative to itself; 0 where it does not. A loss with a kink at θ has another gradient on
 * either side, however near: networks begin on one whose branches are initialised to zero in front of ReLU and the like. Every
 * framework gives one of the gradients there, or one between them, and derivatives of second order do not exist.
 */
export async function gradientJump(model: Pick<CompiledModel, 'gradient'>, theta: Float32Array): Promise<number> {
  const random = createRandom(3);
  const direction = Float64Array.from(theta, () => random.normal() / Math.sqrt(theta.length));
  let before = Number.POSITIVE_INFINITY;
  let jump = 0;
  for (const relative of steps) {
    const step = relative * (1 + norm(theta));
    const at = async (sign: number): Promise<Float32Array> =>
      (await model.gradient(theta.map((x, i) => x + sign * step * direction[i]!))).gradient;
    const [ahead, behind] = [await at(1), await at(-1)];
    jump = norm(ahead.map((g, i) => g - behind[i]!)) / Math.max(norm(ahead), norm(behind));
    if (!(jump > smallest) || (before < Number.POSITIVE_INFINITY && jump < keptShare * before)) return 0;
    before = jump;
  }
  return jump;
}
