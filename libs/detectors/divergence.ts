import { fromJsonNumber, toJsonNumber, type JsonNumber } from '#math/json-number.js';
import type { Detector, Finding, RunEvent, Step } from './detector.js';
import type { FramedReadings } from './frame.js';
import { rules } from './stage/rules.js';
import { count, number } from './text.js';

/**
 * `divergence_risk`: a reading that is not finite, or a loss that explodes. Said when the first one goes bad, and again only
 * after every reading that was bad has been good, or has not been heard for long. When that has lasted for a while the
 * episode is over: `recovered`, with its beginning, its peak and its end.
 */
export interface DivergenceState {
  /** First finite value of each loss. */
  readonly first: Readonly<Record<string, number>>;
  /** Readings that are bad now, each with the step at which it was so last. */
  readonly badAt: Readonly<Record<string, number>>;
  readonly episode: Episode | null;
  /** Where the episode before ended. What was measured of a step before comes later, and belongs to it. */
  readonly endedAt: number;
}

interface Episode {
  readonly onset: number;
  readonly peak: { readonly name: string; readonly value: JsonNumber; readonly step: number };
  /** How often a reading was bad, and where it was so last. */
  readonly bad: number;
  readonly lastBad: number;
  /** Steps in a row at which readings came and none was bad. */
  readonly healthy: number;
}

interface Bad {
  readonly name: string;
  readonly value: number;
  readonly mode: 'non_finite' | 'exploding';
}

/** A bad reading that has not come for so many steps, and so large a part of the training so far, mutes nothing any more. */
const forgetSteps = 100;
const forgetShare = 0.25;

const initial: DivergenceState = { first: {}, badAt: {}, episode: null, endedAt: -1 };

export const divergence: Detector<DivergenceState> = {
  name: 'divergence',
  needs: 'logged',
  initial: () => initial,
  onReadings,
  onEvent: (state: DivergenceState, event: RunEvent) => ({
    state: event.kind === 'resumed' ? { ...initial, first: state.first } : state,
    findings: [],
  }),
};

/** What the state of the training itself shows; other numbers that a job logs may be NaN for reasons of their own. */
const watched = /^(loss|gradient|sharpness|weight|update)\./;
/** An infinite threshold is what a learning rate of 0 has, and an infinite clip none at all. */
const notWatched: ReadonlySet<string> = new Set(['sharpness.threshold', 'gradient.clip']);

function onReadings(saved: DivergenceState, { step, readings }: FramedReadings): Step<DivergenceState> {
  // A state of an older version has no episodes.
  const state = { ...initial, ...saved };
  if (step <= state.endedAt) return { state, findings: [] };
  const first: Record<string, number> = { ...state.first };
  const badAt = Object.fromEntries(
    Object.entries(state.badAt).filter(([, at]) => step - at <= Math.max(forgetSteps, forgetShare * at)),
  );
  const wasBad = Object.keys(badAt).length > 0;
  const bad: Bad[] = [];
  let good = 0;
  for (const [name, value] of Object.entries(readings)) {
    if (name !== 'sharpness' && (!watched.test(name) || notWatched.has(name))) continue;
    if (isLoss(name) && Number.isFinite(value)) first[name] ??= value;
    const mode = modeOf(name, value, first[name]);
    if (mode !== undefined) {
      badAt[name] = step;
      bad.push({ name, value, mode });
      continue;
    }
    delete badAt[name];
    if (!isLoss(name) || value <= rules.healthyFactor * Math.max(1, first[name] ?? value)) good++;
  }
  const isHealthy = good > 0 && Object.keys(badAt).length === 0;
  const episode = follow(state.episode, bad, isHealthy, step);
  const [cause] = bad;
  const findings = wasBad || cause === undefined ? [] : [risk(step, cause)];
  const next = { ...state, first, badAt, episode };
  if (episode === null || episode.healthy < rules.healthyCount) return { state: next, findings };
  return { state: { ...next, episode: null, endedAt: episode.lastBad }, findings: [...findings, recovered(step, episode)] };
}

function follow(episode: Episode | null, bad: readonly Bad[], isHealthy: boolean, step: number): Episode | null {
  let next =
    episode === null ? null : { ...episode, healthy: isHealthy ? episode.healthy + 1 : bad.length > 0 ? 0 : episode.healthy };
  for (const { name, value } of bad) {
    const here = { name, value: toJsonNumber(value), step };
    next = {
      onset: Math.min(next?.onset ?? step, step),
      peak: next === null || isWorse(value, next.peak.value) ? here : next.peak,
      bad: (next?.bad ?? 0) + 1,
      lastBad: Math.max(next?.lastBad ?? step, step),
      healthy: 0,
    };
  }
  return next;
}

/** What is not a number is worse than any number. */
function isWorse(value: number, known: JsonNumber): boolean {
  const before = fromJsonNumber(known) ?? Number.NaN;
  return !Number.isNaN(before) && (Number.isNaN(value) || Math.abs(value) > Math.abs(before));
}

function modeOf(name: string, value: number, first: number | undefined): Bad['mode'] | undefined {
  if (!Number.isFinite(value)) return 'non_finite';
  return isLoss(name) && value > rules.divergedFactor * Math.max(1, first ?? value) ? 'exploding' : undefined;
}

function isLoss(name: string): boolean {
  return name.startsWith('loss.');
}

function risk(step: number, { name, value, mode }: Bad): Finding {
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

function recovered(step: number, { onset, peak, bad, lastBad }: Episode): Finding {
  const worst = number(fromJsonNumber(peak.value) ?? Number.NaN);
  return {
    step,
    onset: lastBad,
    kind: 'recovered',
    provisional: false,
    severity: 'info',
    evidence: { began: onset, [peak.name]: peak.value, peak_step: peak.step, last_bad: lastBad, bad_readings: bad },
    text: `step ${step}: healthy again; from step ${onset} to ${lastBad} ${count(bad, 'reading was', 'readings were')} bad, at worst ${peak.name} ${worst} at step ${peak.step}`,
  };
}
