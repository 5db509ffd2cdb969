import { fromJsonNumber, toJsonNumber, type JsonNumber } from '#math/json-number.js';
import type { StepReadings } from '#detectors/detector.js';
import { thinned } from './thin-steps.js';

/**
 * Steps that are not judged yet by those who need measurements. A step is *closed*, and nothing that is logged changes
 * it any more, by the order of the log alone, so that reading the log again gives the same judgements:
 *
 * - a point of a later step has come (records of one process are in step order, so nothing more comes for this one), or
 * - both its snapshot and its training loss have come, or
 * - a heartbeat has come: the probe had nothing older to send, or
 * - the attempt has ended, was lost, or another one began, or
 * - so many steps are open that memory would grow.
 *
 * A closed step is *complete* when nothing is outstanding of its snapshots and of those before it. So what is judged of a
 * step, and in which order, does not depend on how long a measurement takes. What is logged for a closed step is in the
 * tables, but not judged.
 */
export interface PendingSteps {
  readonly waiting: readonly PendingStep[];
  /** Newest step that is closed in this attempt; -1 before the first. */
  readonly closed: number;
}

export interface PendingStep {
  readonly step: number;
  readonly logged: Readings;
  /** What was measured says more than what was logged under the same name. */
  readonly measured: Readings;
  /** It has a snapshot, measured or not. */
  readonly taken: boolean;
  /** Positions of its snapshots that are not measured yet. */
  readonly outstanding: readonly number[];
}

type Readings = Readonly<Record<string, JsonNumber>>;

export interface Point {
  readonly step: number;
  readonly name: string;
  readonly value: number;
}

/** More steps than this are never open, and more than this, thinned, never wait for measurements. */
export const maxWaiting = 256;

export const noPendingSteps: PendingSteps = { waiting: [], closed: -1 };

/** What has become complete, in step order, and what waits on. */
export interface Completed {
  readonly pending: PendingSteps;
  readonly complete: readonly StepReadings[];
}

/** Logged numbers. `newest` is the newest step of the whole batch, whichever of its numbers are judged. */
export function addPoints(pending: PendingSteps, points: readonly Point[], newest: number): Completed {
  const steps = new Map(pending.waiting.map((step) => [step.step, step]));
  const added = new Map<number, Record<string, JsonNumber>>();
  for (const { step, name, value } of points) {
    if (step <= pending.closed) continue;
    const readings = added.get(step) ?? {};
    readings[name] = toJsonNumber(value);
    added.set(step, readings);
  }
  for (const [step, readings] of added) {
    const known = steps.get(step) ?? emptyStep(step);
    steps.set(step, { ...known, logged: { ...known.logged, ...readings } });
  }
  return settle(pending.closed, [...steps.values()], (step) => step.step < newest);
}

/** A snapshot, with what it says itself; its position when it is to be measured. */
export function addSnapshot(
  pending: PendingSteps,
  step: number,
  readings: Readonly<Record<string, number>>,
  position: number | undefined,
): Completed {
  if (step <= pending.closed) return { pending, complete: [] };
  const known = pending.waiting.find((candidate) => candidate.step === step) ?? emptyStep(step);
  const next = {
    ...known,
    measured: { ...known.measured, ...json(readings) },
    taken: true,
    outstanding: position === undefined ? known.outstanding : [...known.outstanding, position],
  };
  return settle(pending.closed, [...pending.waiting.filter((candidate) => candidate !== known), next], () => false);
}

/** A snapshot that was announced has come: from now on its own message is what is outstanding. */
export function addArrived(pending: PendingSteps, announced: number, position: number): PendingSteps {
  const renamed = (outstanding: readonly number[]): readonly number[] =>
    outstanding.map((known) => (known === announced ? position : known));
  return { ...pending, waiting: pending.waiting.map((step) => ({ ...step, outstanding: renamed(step.outstanding) })) };
}

/** Snapshots are outstanding no longer; of one that was measured, with the readings. */
export function addMeasured(
  pending: PendingSteps,
  positions: readonly number[],
  readings: Readonly<Record<string, number>>,
): Completed {
  const waiting = pending.waiting.map((step) => {
    const outstanding = step.outstanding.filter((position) => !positions.includes(position));
    if (outstanding.length === step.outstanding.length) return step;
    return { ...step, outstanding, measured: { ...step.measured, ...json(readings) } };
  });
  return settle(pending.closed, waiting, () => false);
}

/** Nothing more is logged for steps up to `last`. */
export function closeUpTo(pending: PendingSteps, last: number): Completed {
  return settle(pending.closed, pending.waiting, ({ step }) => step <= last);
}

function emptyStep(step: number): PendingStep {
  return { step, logged: {}, measured: {}, taken: false, outstanding: [] };
}

function settle(closed: number, steps: readonly PendingStep[], isOver: (step: PendingStep) => boolean): Completed {
  const sorted = [...steps].sort((a, b) => a.step - b.step);
  const now = newestClosed(closed, sorted, isOver);
  const { waiting, letGo } = bounded(sorted, now);
  let ready = 0;
  while (ready < waiting.length && waiting[ready]!.step <= now && waiting[ready]!.outstanding.length === 0) ready++;
  const done = [...letGo, ...waiting.slice(0, ready)];
  return { pending: { waiting: waiting.slice(ready), closed: now }, complete: done.map(readingsOf) };
}

function newestClosed(closed: number, sorted: readonly PendingStep[], isOver: (step: PendingStep) => boolean): number {
  const open = sorted.filter(({ step }) => step > closed);
  let over = Math.max(0, open.length - maxWaiting);
  for (const [i, step] of open.entries()) {
    const whole = step.taken && step.logged['loss.train'] !== undefined;
    if (whole || isOver(step)) over = Math.max(over, i + 1);
  }
  return open[over - 1]?.step ?? closed;
}

/** Steps behind a measurement are thinned; where that is not enough the oldest are judged without theirs. */
function bounded(
  sorted: readonly PendingStep[],
  closed: number,
): { readonly waiting: readonly PendingStep[]; readonly letGo: readonly PendingStep[] } {
  const count = sorted.findIndex(({ step }) => step > closed);
  const shut = count < 0 ? sorted : sorted.slice(0, count);
  // What nothing holds up is complete at once, however much it is.
  const heldUp = shut.findIndex(({ outstanding }) => outstanding.length > 0);
  if (heldUp < 0 || shut.length - heldUp <= maxWaiting) return { waiting: sorted, letGo: [] };
  const behind = thinned(shut.slice(heldUp), maxWaiting);
  const excess = Math.max(0, behind.length - maxWaiting);
  return {
    waiting: [...behind.slice(excess), ...sorted.slice(shut.length)],
    letGo: [...shut.slice(0, heldUp), ...behind.slice(0, excess)],
  };
}

function json(readings: Readonly<Record<string, number>>): Readings {
  return Object.fromEntries(Object.entries(readings).map(([name, value]) => [name, toJsonNumber(value)]));
}

function readingsOf({ step, logged, measured }: PendingStep): StepReadings {
  const entries = Object.entries({ ...logged, ...measured });
  return { step, readings: Object.fromEntries(entries.map(([name, value]) => [name, fromJsonNumber(value) ?? Number.NaN])) };
}
