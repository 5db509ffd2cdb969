import { trackTop } from '#math/ritz-tracker.js';
import { hasOwnRates, isPreconditioned } from '#math/stability-threshold.js';
import type { Block } from '#math/vector-space.js';
import type { Instrument, SnapshotContext } from './instrument.js';
import { alongGroups, coupledDecayOf } from './parameter-groups.js';

/**
 * λ1(P⁻¹H) of the loss that is stepped, where groups of parameters have learning rates of their own: P⁻¹ = D = diag(ηᵢ), whose
 * product with H has the eigenvalues of the symmetric D^½(H + W)D^½, with W = diag(wᵢ) of a coupled decay. The rates are
 * those at the start, times as much as the first group's has changed since.
 */
export const sharpnessPreconditioned: Instrument = {
  name: 'sharpness.preconditioned',
  needs: ['snapshot', 'train probe set', 'optimizer'],
  isFor: (optimizer) => hasOwnRates(optimizer) && !isPreconditioned(optimizer.name),
  products: 10,
  measure: async (context) => {
    const { model, optimizer, relativeTolerance, previous, maxBasis } = context;
    const roots = rootsOfRates(context);
    const decay = alongGroups(model, optimizer.groups ?? [], (group) => coupledDecayOf(optimizer, group));
    if (roots === undefined || decay === undefined) {
      return { off: 'it is not known which of the rates steps which parameter' };
    }
    const top = await trackTop(
      { space: model.space, multiply: (block) => between(context, roots, decay, block) },
      { relativeTolerance, ...(maxBasis === undefined ? {} : { maxBasis }) },
      // The sharpest directions of H, seen in the metric of the rates, are where to begin.
      previous && { vectors: previous.vectors.map((vector) => scaled(vector, roots)) },
    );
    if (top.kind !== 'found') return { off: 'a Hessian-vector product is not finite at this step' };
    const [value] = top.values;
    if (value === undefined) return { off: 'the model has no parameters' };
    const { products, bounds } = top;
    return { quantities: [{ name: 'sharpness.preconditioned', value, bound: bounds[0] ?? Number.NaN, products }] };
  },
};

function rootsOfRates({ model, optimizer, learningRate }: SnapshotContext): Float32Array | undefined {
  const groups = optimizer.groups ?? [];
  const first = groups[0]?.learningRate ?? 0;
  const schedule = first > 0 ? learningRate / first : Number.NaN;
  const roots = alongGroups(model, groups, (group) => Math.sqrt(group.learningRate * schedule));
  return roots?.every((root) => Number.isFinite(root)) === true ? roots : undefined;
}

/** D^½(H + W)D^½ v, vector by vector. */
async function between(
  { model, point }: SnapshotContext,
  roots: Float32Array,
  decay: Float32Array,
  block: Block,
): Promise<Block> {
  const { space } = model;
  const inner = (await space.toHost(block)).map((vector) => scaled(vector, roots));
  const sent = await space.fromHost(inner);
  const product = await point.multiplyBlock(sent);
  const outer = (await space.toHost(product)).map((vector, k) =>
    vector.map((x, i) => roots[i]! * (x + decay[i]! * inner[k]![i]!)),
  );
  space.release(sent, product);
  return space.fromHost(outer);
}

function scaled(vector: Float32Array, factors: Float32Array): Float32Array {
  return vector.map((x, i) => factors[i]! * x);
}
