import type { Finding } from '../detector.js';
import { number } from '../text.js';
import { rules } from './rules.js';
import type { TaggerState } from './state.js';

/** The first ten steps against the start: the label is made from these once, when the transient ends. */
export function noteEarlyLoss(draft: TaggerState, value: number, first: number, step: number): void {
  if (step > 0 && step <= rules.earlySteps && value > first) draft.lossRose = true;
}

export function noteEarlySharpness(draft: TaggerState, sharpness: number, edgeRatio: number, step: number): void {
  draft.firstSharpness ??= sharpness;
  draft.firstRatio ??= Math.min(1e300, Math.max(-1e300, edgeRatio));
  if (step <= 0 || step > rules.earlySteps) return;
  if (sharpness > draft.firstSharpness) draft.sharpnessRose = true;
  if (sharpness < rules.reduction * draft.firstSharpness) draft.sharpnessFell = true;
}

/** `lazy` or `catapult`, with `+sharpness_up` and `+reduction`. */
export function earlyLabel(draft: TaggerState): string {
  const additions = [draft.sharpnessRose ? '+sharpness_up' : '', draft.sharpnessFell ? '+reduction' : ''];
  return (draft.lossRose ? 'catapult' : 'lazy') + additions.join('');
}

/**
 * `early_phase`: how the run came through its first steps, with c = η·λ0 at the first measurement, written as 2·S/Θ so
 * that it means the same for every optimizer. A wide net is expected to be lazy below c = 2.
 */
export function earlyPhaseFinding(draft: TaggerState, step: number): Finding {
  const [phase = '', ...additions] = (draft.early ?? '').split('+');
  const evidence: Record<string, number> = {};
  if (draft.firstSharpness !== null) evidence['sharpness'] = draft.firstSharpness;
  if (draft.firstRatio !== null) evidence['c'] = 2 * draft.firstRatio;
  const strength = draft.firstRatio === null ? '' : `, c = η·λ0 = ${number(2 * draft.firstRatio)}`;
  return {
    step,
    onset: 0,
    kind: 'early_phase',
    to: phase,
    detail: additions.join('+'),
    provisional: false,
    severity: 'info',
    evidence,
    text: `step ${step}: the early phase was ${[phases[phase] ?? phase, ...additions.map((key) => also[key] ?? key)].join(', ')}${strength}`,
  };
}

const phases: Readonly<Record<string, string>> = {
  lazy: 'lazy: the loss never rose above its start',
  catapult: 'a catapult: the loss first rose above its start',
  divergent: 'divergent',
};
const also: Readonly<Record<string, string>> = { sharpness_up: 'sharpness rose', reduction: 'sharpness fell' };
