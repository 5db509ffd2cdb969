import type { Finding, RunFacts } from '../detector.js';
import { newest, type FramedReadings } from '../frame.js';
import { number } from '../text.js';
import { rateBeside, type Measured } from './observation.js';
import { noiseOf } from './noise.js';
import { rules } from './rules.js';
import type { EarlyStart, LossSource, TaggerState } from './state.js';
import { largest } from '#math/extremes.js';

/**
 * The early phase: the first transient of a training that was heard from its start. Its label is made once, when it ends,
 * from the first ten steps against the start; a run that is first heard of later has none.
 */
export function noteEarlyLosses(draft: TaggerState, input: FramedReadings): void {
  const { step, readings } = input;
  draft.heardStep ??= step;
  if (step > rules.earlySteps) return;
  for (const source of ['loss.train', 'loss.probe'] as const) {
    const value = readings[source];
    if (value === undefined || !Number.isFinite(value)) continue;
    draft.earlyLosses[source] = [...(draft.earlyLosses[source] ?? []), value];
  }
}

export function noteEarlySharpness(
  draft: TaggerState,
  { sharpness, threshold }: Measured,
  input: FramedReadings,
  facts: RunFacts,
): void {
  const { step } = input;
  if (step <= rules.startSteps) {
    const ratio = Math.min(1e300, Math.max(-1e300, sharpness / threshold));
    draft.start ??= { sharpness, ratio, learningRate: rateBeside(newest(input, 'lr') ?? null, facts) };
  }
  if (draft.start === null || step > rules.earlySteps) return;
  if (sharpness > draft.start.sharpness) draft.sharpnessRose = true;
  if (sharpness < rules.reduction * draft.start.sharpness) draft.sharpnessFell = true;
}

/** At the end of a transient: `lazy` or `catapult`, with `+sharpness_up` and `+reduction`; empty when it cannot be said. */
export function earlyLabel(draft: TaggerState, facts: RunFacts): string {
  if (!isFromStart(draft) || draft.start === null) return '';
  const additions = [draft.sharpnessRose ? '+sharpness_up' : '', draft.sharpnessFell ? '+reduction' : ''];
  const isCatapult = draft.start.ratio >= 1 && lossRose(draft, facts);
  return (isCatapult ? 'catapult' : 'lazy') + additions.join('');
}

/** What diverges within its early phase had a divergent one; the early phase is not known to last beyond what was measured of it. */
export function divergentLabel(draft: TaggerState, step: number): string {
  const isTransient = draft.stage === 'transient' && step <= 2 * (draft.measuredStep ?? 0);
  return isFromStart(draft) && (step <= rules.earlySteps || isTransient) ? 'divergent' : '';
}

function isFromStart({ heardStep, clockStep }: TaggerState): boolean {
  return heardStep !== null && heardStep <= rules.earlySteps && clockStep === 0;
}

/** The loss on fixed examples, or of full batches, has no noise; that of a mini-batch rose where it did by more than three standard errors. */
function lossRose({ earlyLosses }: TaggerState, { batch }: RunFacts): boolean {
  const rise = (source: LossSource, margin: (losses: readonly number[]) => number): boolean => {
    const [first, ...later] = earlyLosses[source] ?? [];
    return first !== undefined && later.length > 0 && largest(later) > first + margin([first, ...later]);
  };
  return rise('loss.probe', () => 0) || rise('loss.train', batch === 'full' ? () => 0 : noiseMargin);
}

/** Of the difference of two losses. */
function noiseMargin(losses: readonly number[]): number {
  return losses.length < rules.noiseLeast ? Number.POSITIVE_INFINITY : rules.earlyErrors * Math.SQRT2 * noiseOf(losses);
}

/**
 * `early_phase`: how the run came through its first steps, with c = η·λ0. A quadratic is unstable from c = η·Θ on: 2 for plain
 * descent, 3.8 with a momentum of 0.9; below it nothing is a catapult.
 */
export function earlyPhaseFinding(draft: TaggerState, step: number): Finding {
  const [phase = '', ...additions] = (draft.early ?? '').split('+');
  const strength = strengthOf(draft.start);
  return {
    step,
    onset: 0,
    kind: 'early_phase',
    to: phase,
    detail: additions.join('+'),
    provisional: false,
    severity: 'info',
    evidence: { ...(draft.start !== null && { sharpness: draft.start.sharpness }), ...strength },
    text: `step ${step}: the early phase was ${[phases[phase] ?? phase, ...additions.map((key) => also[key] ?? key)].join(', ')}${strengthText(strength)}`,
  };
}

interface Strength {
  readonly c: number;
  /** η·Θ. */
  readonly c_limit: number;
}

function strengthOf(start: EarlyStart | null): Strength | undefined {
  if (start === null || start.learningRate === null || start.ratio === 0) return undefined;
  const c = start.learningRate * start.sharpness;
  return Number.isFinite(c) ? { c, c_limit: c / start.ratio } : undefined;
}

function strengthText(strength: Strength | undefined): string {
  return strength === undefined ? '' : `, c = η·λ0 = ${number(strength.c)} (unstable from ${number(strength.c_limit)} on)`;
}

const phases: Readonly<Record<string, string>> = {
  lazy: 'lazy: no catapult of the loss',
  catapult: 'a catapult: the loss first rose above its start',
  divergent: 'divergent',
};
const also: Readonly<Record<string, string>> = { sharpness_up: 'sharpness rose', reduction: 'sharpness fell' };
