import { toJsonNumber } from '#math/json-number.js';
import type { StageName } from '../stages.js';
import type { Finding, RunFacts } from '../detector.js';
import type { FramedReadings } from '../frame.js';
import { number, ratio } from '../text.js';
import { clipThatBites, sharpnessName, thresholdText, type Measured, type Observation } from './observation.js';
import type { Move, TaggerState } from './state.js';

export function stageFinding(
  move: Move,
  draft: TaggerState,
  input: FramedReadings,
  observation: Observation,
  facts: RunFacts,
): Finding {
  return {
    step: input.step,
    onset: move.onset,
    kind: 'stage',
    from: move.from,
    to: move.to,
    detail: move.detail,
    provisional: false,
    severity: move.to === 'diverged' ? 'critical' : 'info',
    evidence: { ...evidenceOf(draft, observation, facts), ...(observation.measured && clipThatBites(input)) },
    text: `step ${input.step}: ${sentence(move, draft, observation, facts)}`,
  };
}

function evidenceOf(draft: TaggerState, { loss, measured }: Observation, facts: RunFacts): Finding['evidence'] {
  const evidence: Record<string, number | string> = { [loss.source]: toJsonNumber(loss.value) };
  if (draft.learningRate !== null) evidence['lr'] = draft.learningRate;
  if (measured === undefined) return evidence;
  evidence[sharpnessName(facts)] = measured.sharpness;
  evidence['sharpness.threshold'] = toJsonNumber(measured.threshold);
  evidence['edge.ratio'] = measured.ratio;
  if (measured.fromBatches && draft.batchSharpness !== null) evidence['sharpness.batch'] = draft.batchSharpness;
  return evidence;
}

function sentence(move: Move, draft: TaggerState, { loss, measured }: Observation, facts: RunFacts): string {
  const level = measured === undefined ? '' : `, ${levelText(measured, draft, facts)}`;
  return (
    sentences[move.to](move, draft) +
    (move.to === 'diverged' || move.to === 'unknown' ? `, the loss is ${number(loss.value)}` : level)
  );
}

const sentences: Readonly<Record<StageName, (move: Move, draft: TaggerState) => string>> = {
  unknown: () => 'the run has recovered, its stage is judged anew',
  transient: ({ detail }, draft) =>
    detail === 'lr_increase'
      ? `the learning rate rose to ${number(draft.learningRate ?? Number.NaN)}, a new transient began`
      : 'the early transient began',
  saturation: ({ detail }, draft) =>
    detail === 'lr_decrease'
      ? `the learning rate fell to ${number(draft.learningRate ?? Number.NaN)}, sharpening begins anew`
      : (saturations[detail] ?? 'saturation began'),
  sharpening: ({ onset }, { stageStep }) =>
    onset === stageStep ? 'progressive sharpening began' : `progressive sharpening, since step ${onset}`,
  edge: () => 'reached the edge of stability',
  late_decline: ({ detail }, { reachedEdge }) =>
    detail === 'post_eos'
      ? 'left the edge of stability, sharpness declines'
      : `sharpness declines${reachedEdge ? '' : ' without having reached the edge'}`,
  diverged: () => 'diverged',
};

const saturations: Readonly<Record<string, string>> = {
  intermediate: 'the transient is over, sharpness is steady',
  late_plateau: 'sharpening has stalled on a plateau',
  reduction: 'sharpness fell back before the edge',
  post_eos: 'left the edge of stability',
};

/** `λ1 = 1.01 × 2/η`: the threshold as the optimizer's constant over the learning rate. */
export function levelText(measured: Measured, draft: TaggerState, facts: RunFacts): string {
  const threshold = thresholdText(measured.threshold, draft.learningRate, facts);
  const name = measured.fromBatches
    ? 'batch sharpness'
    : sharpnessName(facts) === 'sharpness'
      ? 'λ1'
      : 'λ1 of the preconditioned Hessian';
  return `${name} = ${ratio(measured.ratio)} × ${threshold}`;
}
