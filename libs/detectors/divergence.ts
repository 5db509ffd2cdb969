import { toJsonNumber } from '#math/json-number.js';
import type { Detector, Finding, RunEvent, Step } from './detector.js';
import type { FramedReadings } from './frame.js';
import { rules } from './stage/rules.js';
import { number } from './text.js';

/**
 * `divergence_risk`: a reading that is not finite, or a loss that explodes. Said once an episode: again only after every
 * reading that was bad has been good.
 */
export interface DivergenceState {
  /** First finite value of each loss. */
  readonly first: Readonly<Record<string, number>>;
  /** Readings that are bad now. */
  readonly bad: readonly string[];
}

export const divergence: Detector<DivergenceState> = {
  name: 'divergence',
  needs: 'logged',
  initial: () => ({ first: {}, bad: [] }),
  onReadings,
  onEvent: (state: DivergenceState, event: RunEvent) => ({
    state: event.kind === 'resumed' ? { ...state, bad: [] } : state,
    findings: [],
  }),
};

/** What the state of the training itself shows; other numbers that a job logs may be NaN for reasons of their own. */
const watched = /^(loss|gradient|sharpness|weight|update)\./;

function onReadings(state: DivergenceState, { step, readings }: FramedReadings): Step<DivergenceState> {
  const first: Record<string, number> = { ...state.first };
  const bad = new Set(state.bad);
  const begun: { readonly name: string; readonly value: number; readonly mode: 'non_finite' | 'exploding' }[] = [];
  for (const [name, value] of Object.entries(readings)) {
    if (name !== 'sharpness' && !watched.test(name)) continue;
    // An infinite threshold is what a learning rate of 0 has.
    if (name === 'sharpness.threshold') continue;
    if (isLoss(name) && Number.isFinite(value)) first[name] ??= value;
    const mode = modeOf(name, value, first[name]);
    if (mode === undefined) bad.delete(name);
    else if (!bad.has(name)) {
      bad.add(name);
      begun.push({ name, value, mode });
    }
  }
  const next = { first, bad: [...bad].sort() };
  const cause = state.bad.length === 0 ? begun[0] : undefined;
  return { state: next, findings: cause === undefined ? [] : [finding(step, cause.name, cause.value, cause.mode)] };
}

function modeOf(name: string, value: number, first: number | undefined): 'non_finite' | 'exploding' | undefined {
  if (!Number.isFinite(value)) return 'non_finite';
  return isLoss(name) && value > rules.divergedFactor * Math.max(1, first ?? value) ? 'exploding' : undefined;
}

function isLoss(name: string): boolean {
  return name.startsWith('loss.');
}

function finding(step: number, name: string, value: number, mode: 'non_finite' | 'exploding'): Finding {
  return {
    step,
    onset: step,
    kind: 'divergence_risk',
    detail: mode,
    provisional: false,
    severity: 'critical',
    evidence: { [name]: toJsonNumber(value) },
    text:
      mode === 'non_finite'
        ? `step ${step}: ${name} is ${number(value)}`
        : `step ${step}: ${name} explodes, it is ${number(value)}`,
  };
}
