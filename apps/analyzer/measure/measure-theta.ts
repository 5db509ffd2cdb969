import { checkProduct, gradientJump, type CompiledModel } from '#engine/index.js';
import { compareReference, measureSnapshot } from '#instruments/index.js';
import { norm } from '#math/vectors.js';
import type { MeasureJob, MeasureResult } from './measurer.js';
import type { CachedModel } from './model-cache.js';
import { decodeVectors, encodeVectors } from './tracker-bytes.js';

/** One snapshot; and, at a model's first, whether its curvature is to be believed. */
export async function measureTheta(
  { model, maxBasis }: CachedModel,
  theta: Float32Array,
  job: MeasureJob,
): Promise<MeasureResult> {
  const checked = job.check ? await checkModel(model, theta, job) : undefined;
  const vectors = decodeVectors(job.tracker, model.parameterCount);
  const { readings, instruments, state } = await measureSnapshot({
    model,
    probeDigest: job.model.train?.digest ?? '',
    theta,
    learningRate: job.learningRate,
    optimizer: job.optimizer,
    previous: vectors.length === 0 ? undefined : { vectors },
    curvatureOff: job.curvatureOff ?? checked?.curvatureOff,
    maxBasis,
  });
  return {
    readings,
    instruments,
    // What was there before still serves when nothing new was found.
    tracker: state === undefined || state.vectors === vectors ? undefined : encodeVectors(state.vectors),
    check: checked?.verdict,
  };
}

interface Checked {
  readonly curvatureOff: string | undefined;
  /** Undefined when nothing could be decided at this snapshot: the next one is asked. */
  readonly verdict: MeasureResult['check'];
}

/**
 * A graph that is another network than the job's stays so until it is described anew. Everything else that fails is of this
 * snapshot: where the loss has a kink, no derivative can be compared.
 */
async function checkModel(model: CompiledModel, theta: Float32Array, job: MeasureJob): Promise<Checked> {
  const { referenceLoss, referenceGradientNorm, referenceStep } = job.model;
  if (job.step === referenceStep) {
    const { loss, gradient } = await model.gradient(theta);
    const reference = { loss: referenceLoss, gradientNorm: referenceGradientNorm };
    const { ok, what, reason } = compareReference(reference, { loss, gradientNorm: norm(gradient) });
    const kink = ok || what === 'loss' ? undefined : await kinkAt(model, theta);
    if (kink !== undefined) return undecided(kink);
    if (!ok) return { curvatureOff: reason, verdict: { ok, reason } };
  }
  const { ok, error, reason } = await checkProduct(model, theta);
  if (ok) return { curvatureOff: undefined, verdict: { ok, reason } };
  if (Number.isNaN(error)) return undecided(reason);
  return undecided((await kinkAt(model, theta)) ?? `${reason} Later snapshots are looked at again.`);
}

function undecided(reason: string): Checked {
  return { curvatureOff: reason, verdict: undefined };
}

async function kinkAt(model: CompiledModel, theta: Float32Array): Promise<string | undefined> {
  const jump = await gradientJump(model, theta);
  if (jump === 0) return undefined;
  return `The loss has a kink at these parameters: its gradient jumps by ${(100 * jump).toPrecision(2)} % there, so it has no curvature. Later snapshots are looked at again.`;
}
