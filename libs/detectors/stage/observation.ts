import { hasOwnRates, isComparedPreconditioned, isPreconditioned, stabilityThreshold } from '#math/stability-threshold.js';
import type { RunFacts } from '../detector.js';
import { newest, type FramedReadings } from '../frame.js';
import { number } from '../text.js';
import { rules } from './rules.js';
import type { LossSource, TaggerState } from './state.js';

/** One step as the tagger sees it. */
export interface Observation {
  readonly step: number;
  readonly loss: LossAt;
  readonly learningRate: number | undefined;
  readonly measured: Measured | undefined;
}

/** A loss, and whether it is of this very step. */
export interface LossAt {
  readonly source: LossSource;
  readonly value: number;
  readonly isNew: boolean;
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
 * Reads what the tagger needs out of what is known. Undefined without any loss. Without a sharpness of this very step or a
 * threshold there is no measurement: a missing input never makes a stage. Keeps the moving average of the batch sharpness.
 */
export function observe(draft: TaggerState, input: FramedReadings, facts: RunFacts): Observation | undefined {
  const loss = lossAt(input);
  if (loss === undefined) return undefined;
  return { step: input.step, loss, learningRate: learningRateOf(input), measured: measure(draft, input, facts) };
}

/** The newest loss: of one step the logged one, or the loss on the probe set in its place. */
function lossAt(input: FramedReadings): LossAt | undefined {
  const [train, probe] = [input.frame['loss.train'], input.frame['loss.probe']];
  const source = probe !== undefined && (train === undefined || train.step < probe.step) ? 'loss.probe' : 'loss.train';
  const value = newest(input, source);
  return value === undefined ? undefined : { source, value, isNew: input.readings[source] !== undefined };
}

function measure(draft: TaggerState, input: FramedReadings, facts: RunFacts): Measured | undefined {
  const { readings } = input;
  const sharpness = readings[sharpnessName(facts)];
  const threshold = thresholdOf(input, facts);
  if (sharpness === undefined || !Number.isFinite(sharpness) || threshold === undefined) return undefined;
  const batch = facts.batch === 'full' ? undefined : readings['sharpness.batch'];
  if (batch !== undefined && Number.isFinite(batch)) {
    draft.batchSharpness =
      draft.batchSharpness === null ? batch : (1 - rules.batchWeight) * draft.batchSharpness + rules.batchWeight * batch;
  }
  if (draft.batchSharpness !== null && newest(input, 'sharpness.batch', rules.batchAge * input.step) !== undefined) {
    return { sharpness, threshold, ratio: draft.batchSharpness / threshold / rules.batchEdge, fromBatches: true };
  }
  return { sharpness, threshold, ratio: sharpness / threshold, fromBatches: false };
}

/** The curvature that the optimizer of the run is compared by. */
export function sharpnessName(facts: RunFacts): 'sharpness' | 'sharpness.preconditioned' {
  return isComparedPreconditioned(facts.optimizer) ? 'sharpness.preconditioned' : 'sharpness';
}

/** Θ as it was read with the rate and the constants that are in use, or from them. */
export function thresholdOf(input: FramedReadings, facts: RunFacts): number | undefined {
  const optimizer = optimizerAt(input, facts);
  const read = newest(input, 'sharpness.threshold');
  const isCurrent = (input.frame['sharpness.threshold']?.step ?? -1) >= (input.frame['lr']?.since ?? 0);
  if (read !== undefined && read > 0 && isCurrent && optimizer === facts.optimizer) return read;
  const learningRate = learningRateOf(input);
  const threshold = learningRate === undefined ? undefined : stabilityThreshold(optimizer, learningRate);
  const clip = clipThatBites(input);
  return threshold === undefined || clip === undefined ? threshold : (threshold * clip['gradient.norm']) / clip['gradient.clip'];
}

/** The norm that the gradient was clipped to, where that is less than it had: the rate that is left is η·clip/|g|. */
export function clipThatBites(input: FramedReadings): Readonly<Record<'gradient.clip' | 'gradient.norm', number>> | undefined {
  const clip = newest(input, 'gradient.clip') ?? 0;
  const norm = input.readings['gradient.norm'] ?? 0;
  return clip > 0 && norm > clip && Number.isFinite(norm) ? { 'gradient.clip': clip, 'gradient.norm': norm } : undefined;
}

/** Its constants are those that the job announced, until it says others. */
function optimizerAt(input: FramedReadings, { optimizer }: RunFacts): RunFacts['optimizer'] {
  const momentum = newest(input, 'momentum');
  if (momentum === undefined || momentum === optimizer.momentum || isPreconditioned(optimizer.name)) return optimizer;
  return { ...optimizer, momentum };
}

/** As the optimizer's constant over the learning rate, where there is one rate. */
export function thresholdText(threshold: number, learningRate: number | null, { optimizer }: RunFacts): string {
  if (hasOwnRates(optimizer)) return number(threshold);
  return learningRate === null || !(learningRate > 0) ? 'Θ' : `${number(threshold * learningRate)}/η`;
}

/** The rate by which a curvature is multiplied: rates of groups are in their preconditioned sharpness already. */
export function rateBeside(learningRate: number | null, { optimizer }: RunFacts): number | null {
  return hasOwnRates(optimizer) ? 1 : learningRate;
}

/** As used for the next update: it holds until another one is said. */
export function learningRateOf(input: FramedReadings): number | undefined {
  const learningRate = newest(input, 'lr');
  return learningRate !== undefined && Number.isFinite(learningRate) && learningRate >= 0 ? learningRate : undefined;
}
