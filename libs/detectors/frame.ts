import { fromJsonNumber, toJsonNumber, type JsonNumber } from '#math/json-number.js';
import type { StepReadings } from './detector.js';

/**
 * What is known of a run at a step: the newest value of every reading, with the step at which it was heard. A job may send
 * a value when it changes, or every time; here it is carried forward, once for all detectors. Plain JSON.
 */
export type Frame = Readonly<Record<string, Newest>>;

export interface Newest {
  readonly value: JsonNumber;
  /** Where it was heard. */
  readonly step: number;
  /** Since when it has been what it is. */
  readonly since: number;
}

/** One step as detectors see it: what it brings itself, and all that is known there. */
export interface FramedReadings extends StepReadings {
  readonly frame: Frame;
}

/** The frame with what a step brings. A value of an older step than the one that is known changes nothing. */
export function withReadings(frame: Frame, { step, readings }: StepReadings): Frame {
  const next: Record<string, Newest> = { ...frame };
  for (const [name, number] of Object.entries(readings)) {
    const known = frame[name];
    if (known !== undefined && known.step > step) continue;
    const value = toJsonNumber(number);
    next[name] = { value, step, since: known?.value === value ? known.since : step };
  }
  return next;
}

export function framed(before: Frame, input: StepReadings): FramedReadings {
  return { ...input, frame: withReadings(before, input) };
}

/** The newest value, unless it is older than so many steps, or of a later step than the one that is looked at. */
export function newest(
  { step, frame }: FramedReadings,
  name: string,
  withinSteps = Number.POSITIVE_INFINITY,
): number | undefined {
  const known = frame[name];
  if (known === undefined || known.step > step || step - known.step > withinSteps) return undefined;
  return fromJsonNumber(known.value);
}
