import { largest } from '#math/extremes.js';
import { trackTop } from '#math/ritz-tracker.js';
import type { Block } from '#math/vector-space.js';
import { isComparedPreconditioned, isPreconditioned, stabilityThreshold } from '#math/stability-threshold.js';
import type { Instrument, SnapshotContext } from './instrument.js';
import { alongGroups, coupledDecayOf } from './parameter-groups.js';

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
    const decay = decayAlong(context, top.vectors[0]!);
    return {
      quantities: [
        { name: 'sharpness', value: first.value + decay.value, bound: first.bound + decay.bound, products },
        ...ranked,
      ],
      state: { vectors: top.vectors },
    };
  },
};

function followAbove({ optimizer, learningRate }: SnapshotContext): number | undefined {
  if (isComparedPreconditioned(optimizer)) return undefined;
  const threshold = stabilityThreshold(optimizer, learningRate);
  return threshold === undefined ? undefined : followedShare * threshold;
}

/**
 * What a coupled decay adds to λ1. For W = diag(wᵢ) and the unit eigenvector v of λ1(H):
 * λ1(H) + vᵀWv ≤ λ1(H + W) ≤ λ1(H) + max w. One decay for all adds itself, without an error.
 */
function decayAlong({ model, optimizer }: SnapshotContext, v: Float32Array): { readonly value: number; readonly bound: number } {
  if (isPreconditioned(optimizer.name)) return { value: 0, bound: 0 };
  const { groups = [] } = optimizer;
  const decays = groups.length === 0 ? [optimizer] : groups;
  const most = largest(decays.map((group) => coupledDecayOf(optimizer, group)));
  if (groups.every((group) => coupledDecayOf(optimizer, group) === most)) return { value: most, bound: 0 };
  const decay = alongGroups(model, groups, (group) => coupledDecayOf(optimizer, group));
  const value = decay?.reduce((sum, w, i) => sum + w * v[i]! * v[i]!, 0) ?? 0;
  return { value, bound: most - value };
}
