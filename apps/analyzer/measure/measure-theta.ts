import { checkProduct, type CompiledModel } from '#engine/index.js';
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

async function checkModel(model: CompiledModel, theta: Float32Array, job: MeasureJob): Promise<Checked> {
  const { referenceLoss, referenceGradientNorm, referenceStep } = job.model;
  if (job.step === referenceStep) {
    const { loss, gradient } = await model.gradient(theta);
    const reference = { loss: referenceLoss, gradientNorm: referenceGradientNorm };
    const { ok, reason } = compareReference(reference, { loss, gradientNorm: norm(gradient) });
    if (!ok) return decided(false, reason);
  }
  const { ok, error, reason } = await checkProduct(model, theta);
  return !ok && Number.isNaN(error) ? { curvatureOff: reason, verdict: undefined } : decided(ok, reason);
}

function decided(ok: boolean, reason: string): Checked {
  return { curvatureOff: ok ? undefined : reason, verdict: { ok, reason } };
}
