import { toJsonNumber } from '#math/json-number.js';
import type { Detector, RunEvent, RunFacts, Step } from './detector.js';
import type { FramedReadings } from './frame.js';
import { rules } from './stage/rules.js';
import { clipThatBites, learningRateOf, sharpnessName, thresholdOf, thresholdText } from './stage/observation.js';
import { number, ratio } from './text.js';

/**
 * `edge_crossed`: r = S/Θ came to 0.95. That is no instability yet (the gradient begins to oscillate later), and one
 * measurement is enough, so it comes before the stage `edge`. Said again only after r has been below 0.75.
 */
export interface EdgeCrossedState {
  readonly above: boolean;
}

export const edgeCrossed: Detector<EdgeCrossedState> = {
  name: 'edge_crossed',
  needs: 'measured',
  initial: () => ({ above: false }),
  onReadings,
  onEvent: (state: EdgeCrossedState, event: RunEvent) => ({
    state: event.kind === 'resumed' ? { ...state, above: false } : state,
    findings: [],
  }),
};

function onReadings(state: EdgeCrossedState, input: FramedReadings, facts: RunFacts): Step<EdgeCrossedState> {
  const sharpness = input.readings[sharpnessName(facts)];
  const threshold = thresholdOf(input, facts);
  if (sharpness === undefined || threshold === undefined || !Number.isFinite(sharpness)) return { state, findings: [] };
  const r = sharpness / threshold;
  const above = state.above ? r >= rules.edgeOut : r >= rules.edgeIn;
  const next = { above };
  if (!above || state.above) return { state: next, findings: [] };
  const clip = clipThatBites(input);
  const constant = thresholdText(threshold, learningRateOf(input) ?? null, facts);
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
          ...clip,
        },
        text: `step ${input.step}: sharpness came to the stability threshold, ${ratio(r)} × ${constant}${clip === undefined ? '' : `, of the rate that clipping to ${number(clip['gradient.clip'])} leaves`}`,
      },
    ],
  };
}
