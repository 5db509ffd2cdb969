import { fromJsonNumber, toJsonNumber, type JsonNumber } from '#math/json-number.js';
import type { StepReadings } from '#detectors/detector.js';

/**
 * Steps that are not complete yet. When a step is complete is decided by the order of the log alone, so that reading
 * the log again gives the same judgements:
 *
 * - a point of a later step has come (records of one process are in step order, so nothing more comes for this one), or
 * - both its snapshot has been measured and its training loss has come, or
 * - a heartbeat has come: the probe had nothing older to send, or
 * - the attempt has ended, was lost, or another one began, or
 * - so many steps wait that memory would grow.
 *
 * What still comes for a judged step is in the tables, but not judged.
 */
export interface PendingSteps {
  readonly waiting: readonly PendingStep[];
  /** Newest step that has been judged in this attempt; -1 before the first. */
  readonly judged: number;
}

export interface PendingStep {
  readonly step: number;
  readonly readings: Readonly<Record<string, JsonNumber>>;
  /** Its snapshot has been measured, or could not be. */
  readonly measured: boolean;
}

export interface Point {
  readonly step: number;
  readonly name: string;
  readonly value: number;
}

/** More steps than this never wait. */
const maxWaiting = 256;

export const noPendingSteps: PendingSteps = { waiting: [], judged: -1 };

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
    if (step <= pending.judged) continue;
    const readings = added.get(step) ?? {};
    readings[name] = toJsonNumber(value);
    added.set(step, readings);
  }
  for (const [step, readings] of added) {
    const known = steps.get(step);
    // What was measured says more than what was logged under the same name.
    const merged = known?.measured === true ? { ...readings, ...known.readings } : { ...known?.readings, ...readings };
    steps.set(step, { step, readings: merged, measured: known?.measured ?? false });
  }
  return complete(pending.judged, [...steps.values()], (step) => step.step < newest);
}

/** What was measured of the snapshot of a step. */
export function addMeasurement(pending: PendingSteps, step: number, readings: Readonly<Record<string, number>>): Completed {
  if (step <= pending.judged) return { pending, complete: [] };
  const known = pending.waiting.find((candidate) => candidate.step === step);
  const measured = Object.fromEntries(Object.entries(readings).map(([name, value]) => [name, toJsonNumber(value)]));
  const merged = { step, readings: { ...known?.readings, ...measured }, measured: true };
  return complete(pending.judged, [...pending.waiting.filter((candidate) => candidate !== known), merged], () => false);
}

/** Nothing more comes for steps up to `last`. */
export function completeUpTo(pending: PendingSteps, last: number): Completed {
  return complete(pending.judged, pending.waiting, ({ step }) => step <= last);
}

function complete(judged: number, steps: readonly PendingStep[], isOver: (step: PendingStep) => boolean): Completed {
  const waiting = [...steps].sort((a, b) => a.step - b.step);
  let ready = Math.max(0, waiting.length - maxWaiting);
  for (const [i, step] of waiting.entries()) {
    const whole = step.measured && step.readings['loss.train'] !== undefined;
    if (whole || isOver(step)) ready = Math.max(ready, i + 1);
  }
  const done = waiting.slice(0, ready);
  return {
    pending: { waiting: waiting.slice(ready), judged: done.at(-1)?.step ?? judged },
    complete: done.map(({ step, readings }) => ({ step, readings: numbers(readings) })),
  };
}

function numbers(readings: PendingStep['readings']): Record<string, number> {
  return Object.fromEntries(Object.entries(readings).map(([name, value]) => [name, fromJsonNumber(value) ?? Number.NaN]));
}
