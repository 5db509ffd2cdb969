import { trackTop } from '#math/ritz-tracker.js';
import type { Block } from '#math/vector-space.js';
import { isPreconditioned, stabilityThreshold } from '#math/stability-threshold.js';
import type { Instrument, SnapshotContext } from './instrument.js';

/** Eigenvalues above this share of the threshold are all followed: each may become unstable before the next measurement. */
const followedShare = 0.75;

/**
 * λ1 of the Hessian of the loss that is stepped, with a bound of its error, and `curvature.top`: the leading eigenvalues of
 * the measured loss by rank. They differ by a coupled weight decay w, which adds (w/2)‖θ‖² to the loss that is stepped and
 * w to every eigenvalue.
 */
export const sharpness: Instrument = {
  name: 'sharpness',
  needs: ['snapshot', 'train probe set'],
  products: 10,
  measure: async (context) => {
    const { model, point, relativeTolerance, previous, maxBasis } = context;
    const follow = followAbove(context);
    const operator = { space: model.space, multiply: (block: Block) => point.multiplyBlock(block) };
    const top = await trackTop(
      operator,
      {
        relativeTolerance,
        ...(follow === undefined ? {} : { followAbove: follow }),
        ...(maxBasis === undefined ? {} : { maxBasis }),
      },
      previous,
    );
    if (top.kind !== 'found') return { off: 'a Hessian-vector product is not finite at this step' };
    const decay = coupledDecay(context);
    const { products } = top;
    const ranked = top.values.map((value, i) => ({
      name: 'curvature.top',
      key: String(i + 1),
      value,
      bound: top.bounds[i] ?? Number.NaN,
      products,
    }));
    const [first] = ranked;
    if (first === undefined) return { off: 'the model has no parameters' };
    return {
      quantities: [{ name: 'sharpness', value: first.value + decay, bound: first.bound, products }, ...ranked],
      state: { vectors: top.vectors },
    };
  },
};

function followAbove({ optimizer, learningRate }: SnapshotContext): number | undefined {
  if (isPreconditioned(optimizer.name)) return undefined;
  const threshold = stabilityThreshold(optimizer, learningRate);
  return threshold === undefined ? undefined : followedShare * threshold;
}

function coupledDecay({ optimizer }: SnapshotContext): number {
  return isPreconditioned(optimizer.name) || optimizer.decoupledDecay ? 0 : optimizer.weightDecay;
}
