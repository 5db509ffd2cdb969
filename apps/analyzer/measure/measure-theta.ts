import { checkProduct, type CompiledModel } from '#engine/index.js';
import type { Reading } from '#instruments/instrument.js';
import { trackTop, type TopEigenpairs } from '#math/ritz-tracker.js';
import { isPreconditioned, stabilityThreshold } from '#math/stability-threshold.js';
import { norm } from '#math/vectors.js';
import type { MeasureJob, MeasureResult } from './measurer.js';
import { compareReference } from './reference.js';
import { decodeVectors, encodeVectors } from './tracker-bytes.js';

type States = Record<string, { on: boolean; reason: string }>;

/** One snapshot: loss, gradient, top of the spectrum; and, at a model's first, whether any of it is to be believed. */
export async function measureTheta(model: CompiledModel, theta: Float32Array, job: MeasureJob): Promise<MeasureResult> {
  const startedMs = performance.now();
  const point = await model.linearize(theta);
  try {
    const gradientNorm = norm(point.gradient);
    const reading = (name: string, value: number, more: Partial<Reading> = {}): Reading => ({
      name,
      key: '',
      value,
      bound: Number.NaN,
      products: 0,
      seconds: (performance.now() - startedMs) / 1000,
      device: model.device,
      probeDigest: job.model.train?.digest ?? '',
      ...more,
    });
    const check = job.check ? await checkModel(model, theta, point.loss, gradientNorm, job) : undefined;
    const readings = [reading('loss.probe', point.loss), reading('gradient.norm', gradientNorm)];
    const states: States = { 'loss.probe': on, 'gradient.norm': on };
    const threshold = stabilityThreshold(job.optimizer, job.learningRate);
    const why = curvatureOff(check, job);
    const top = why === undefined ? await track(model, point, job, threshold) : undefined;
    const sharpness = top?.kind === 'found' ? top.values[0]! + coupledDecay(job) : undefined;
    if (top?.kind === 'found' && sharpness !== undefined) {
      readings.push(reading('sharpness', sharpness, { bound: top.bounds[0]!, products: top.products }));
    }
    states['sharpness'] = sharpness === undefined ? off(why ?? 'the Hessian-vector product is not finite') : on;
    if (threshold !== undefined) readings.push(reading('sharpness.threshold', threshold));
    states['sharpness.threshold'] = threshold === undefined ? off(noThreshold(job)) : on;
    if (threshold !== undefined && sharpness !== undefined && !isPreconditioned(job.optimizer.name)) {
      readings.push(
        reading('edge.ratio', sharpness / threshold, { bound: top!.kind === 'found' ? top!.bounds[0]! / threshold : Number.NaN }),
      );
      states['edge.ratio'] = on;
    } else {
      states['edge.ratio'] = off(
        isPreconditioned(job.optimizer.name)
          ? `${job.optimizer.name} is judged on the preconditioned Hessian, which needs the optimizer's state`
          : 'it needs sharpness and its threshold',
      );
    }
    return { readings, instruments: states, tracker: top?.kind === 'found' ? encodeVectors(top.vectors) : undefined, check };
  } finally {
    await point.close();
  }
}

const on = { on: true, reason: '' };
const off = (reason: string): { on: boolean; reason: string } => ({ on: false, reason });

async function checkModel(
  model: CompiledModel,
  theta: Float32Array,
  loss: number,
  gradientNorm: number,
  job: MeasureJob,
): Promise<{ ok: boolean; reason: string }> {
  const compared = compareReference(loss, gradientNorm, job);
  if (compared !== undefined) return { ok: false, reason: compared };
  const { ok, reason } = await checkProduct(model, theta);
  return { ok, reason: ok ? '' : reason };
}

function curvatureOff(check: MeasureResult['check'], job: MeasureJob): string | undefined {
  if (job.curvatureOff !== undefined) return job.curvatureOff;
  return check?.ok === false ? check.reason : undefined;
}

function track(
  model: CompiledModel,
  point: Awaited<ReturnType<CompiledModel['linearize']>>,
  job: MeasureJob,
  threshold: number | undefined,
): Promise<TopEigenpairs | { readonly kind: 'not finite'; readonly products: number }> {
  return trackTop(
    { size: model.parameterCount, multiply: (vectors) => point.multiply(vectors) },
    { guides: [point.gradient], ...(threshold !== undefined && Number.isFinite(threshold) && { followAbove: threshold }) },
    { vectors: decodeVectors(job.tracker, model.parameterCount) },
  );
}

/** Decay inside the gradient adds its coefficient to every eigenvalue of the loss that is stepped. */
function coupledDecay({ optimizer }: MeasureJob): number {
  return optimizer.decoupledDecay || isPreconditioned(optimizer.name) ? 0 : optimizer.weightDecay;
}

function noThreshold({ optimizer, learningRate }: MeasureJob): string {
  return Number.isNaN(learningRate) ? 'the learning rate is not known' : `there is no stability threshold for ${optimizer.name}`;
}
