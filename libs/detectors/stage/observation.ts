import { isPreconditioned, stabilityThreshold } from '#math/stability-threshold.js';
import type { RunFacts, StepReadings } from '../detector.js';
import { rules } from './rules.js';
import type { LossSource, TaggerState } from './state.js';

/** One step as the tagger sees it. */
export interface Observation {
  readonly step: number;
  readonly loss: { readonly source: LossSource; readonly value: number };
  readonly learningRate: number | undefined;
  readonly measured: Measured | undefined;
}

/** A finite sharpness with the threshold it is compared with. */
export interface Measured {
  readonly sharpness: number;
  readonly threshold: number;
  /** r: S/Θ, or from the batch sharpness where that is known. */
  readonly ratio: number;
  /** r comes from the batch sharpness, so the filter of ln S does not concern it. */
  readonly fromBatches: boolean;
}

/**
 * Reads what the tagger needs out of the readings. Undefined without any loss. Without a sharpness or a threshold there
 * is no measurement: a missing input never makes a stage. Keeps the moving average of the batch sharpness.
 */
export function observe(draft: TaggerState, input: StepReadings, facts: RunFacts): Observation | undefined {
  const loss = lossOf(input.readings) ?? draft.lastLoss;
  if (loss === null) return undefined;
  const learningRate = usable(input.readings['lr']);
  const measured = measure(draft, input.readings, facts, learningRate ?? draft.learningRate ?? undefined);
  return { step: input.step, loss, learningRate, measured };
}

/** The logged loss, or the loss on the probe set in its place. */
function lossOf(readings: StepReadings['readings']): Observation['loss'] | null {
  for (const source of ['loss.train', 'loss.probe'] as const) {
    const value = readings[source];
    if (value !== undefined) return { source, value };
  }
  return null;
}

function measure(
  draft: TaggerState,
  readings: StepReadings['readings'],
  facts: RunFacts,
  learningRate: number | undefined,
): Measured | undefined {
  const sharpness = readings[sharpnessName(facts)];
  const threshold = thresholdOf(readings, facts, learningRate);
  if (sharpness === undefined || !Number.isFinite(sharpness) || threshold === undefined) return undefined;
  const batch = facts.batch === 'full' ? undefined : readings['sharpness.batch'];
  if (batch !== undefined && Number.isFinite(batch)) {
    draft.batchSharpness =
      draft.batchSharpness === null ? batch : (1 - rules.batchWeight) * draft.batchSharpness + rules.batchWeight * batch;
  }
  if (draft.batchSharpness !== null) {
    return { sharpness, threshold, ratio: draft.batchSharpness / threshold / rules.batchEdge, fromBatches: true };
  }
  return { sharpness, threshold, ratio: sharpness / threshold, fromBatches: false };
}

/** The curvature that the optimizer of the run is compared by. */
export function sharpnessName(facts: RunFacts): 'sharpness' | 'sharpness.preconditioned' {
  return isPreconditioned(facts.optimizer.name) ? 'sharpness.preconditioned' : 'sharpness';
}

/** Θ as it was read, or from the optimizer's constants. */
export function thresholdOf(
  readings: StepReadings['readings'],
  facts: RunFacts,
  learningRate: number | undefined,
): number | undefined {
  const read = readings['sharpness.threshold'];
  if (read !== undefined && read > 0) return read;
  return learningRate === undefined ? undefined : stabilityThreshold(facts.optimizer, learningRate);
}

function usable(learningRate: number | undefined): number | undefined {
  return learningRate !== undefined && Number.isFinite(learningRate) && learningRate >= 0 ? learningRate : undefined;
}
