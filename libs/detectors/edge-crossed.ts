import { toJsonNumber } from '#math/json-number.js';
import type { Detector, RunEvent, RunFacts, Step, StepReadings } from './detector.js';
import { rules } from './stage/rules.js';
import { sharpnessName, thresholdOf } from './stage/observation.js';
import { number, ratio } from './text.js';

/**
 * `edge_crossed`: r = S/Θ came to 0.95. That is no instability yet (the gradient begins to oscillate later), and one
 * measurement is enough, so it comes before the stage `edge`. Said again only after r has been below 0.75.
 */
export interface EdgeCrossedState {
  readonly above: boolean;
  readonly learningRate: number | null;
}

export const edgeCrossed: Detector<EdgeCrossedState> = {
  name: 'edge_crossed',
  needs: 'measured',
  initial: () => ({ above: false, learningRate: null }),
  onReadings,
  onEvent: (state: EdgeCrossedState, event: RunEvent) => ({
    state: event.kind === 'resumed' ? { ...state, above: false } : state,
    findings: [],
  }),
};

function onReadings(state: EdgeCrossedState, input: StepReadings, facts: RunFacts): Step<EdgeCrossedState> {
  const read = input.readings['lr'];
  const learningRate = read !== undefined && Number.isFinite(read) ? read : state.learningRate;
  const sharpness = input.readings[sharpnessName(facts)];
  const threshold = thresholdOf(input.readings, facts, learningRate ?? undefined);
  if (sharpness === undefined || threshold === undefined || !Number.isFinite(sharpness)) {
    return { state: { ...state, learningRate }, findings: [] };
  }
  const r = sharpness / threshold;
  const above = state.above ? r >= rules.edgeOut : r >= rules.edgeIn;
  const next = { above, learningRate };
  if (!above || state.above) return { state: next, findings: [] };
  const constant = learningRate === null || learningRate <= 0 ? 'Θ' : `${number(threshold * learningRate)}/η`;
  return {
    state: next,
    findings: [
      {
        step: input.step,
        onset: input.step,
        kind: 'edge_crossed',
        provisional: false,
        severity: 'info',
        evidence: {
          [sharpnessName(facts)]: sharpness,
          'sharpness.threshold': toJsonNumber(threshold),
          'edge.ratio': toJsonNumber(r),
        },
        text: `step ${input.step}: sharpness came to the stability threshold, ${ratio(r)} × ${constant}`,
      },
    ],
  };
}
