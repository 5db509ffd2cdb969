import { fromJsonNumber } from '#math/json-number.js';
import { framesOf } from '#detectors/judge.js';
import type { Measurement } from '#wire/generated/messages.js';
import type { RunMemory } from './memory.js';

/** The norm that the gradient of a step was clipped to, as it was said last by then; 0 when it was not. */
export function clipAt({ pending, judge }: RunMemory, step: number): number {
  const name = 'gradient.clip';
  const before = pending.waiting.filter((waiting) => waiting.step <= step && waiting.logged[name] !== undefined);
  const newest = before.reduce<(typeof before)[number] | undefined>(
    (a, b) => (a === undefined || b.step > a.step ? b : a),
    undefined,
  );
  const clip = fromJsonNumber(newest?.logged[name] ?? framesOf(judge).measured?.[name]?.value) ?? 0;
  return Number.isFinite(clip) ? clip : 0;
}

/**
 * A gradient g that is clipped to the norm c is stepped at the rate η·c/|g|, so where clipping bites the threshold is that of this
 * rate, Θ·|g|/c, and the edge ratio follows it.
 */
export function withClipping(measurement: Measurement, clip: number): Measurement {
  const norm = measurement.readings.find(({ name, key }) => name === 'gradient.norm' && key === '')?.value ?? 0;
  if (!(clip > 0) || !(norm > clip) || !Number.isFinite(norm)) return measurement;
  const factors: Readonly<Record<string, number>> = { 'sharpness.threshold': norm / clip, 'edge.ratio': clip / norm };
  const reason = `the gradient is clipped to ${clip} here, so the threshold is that of the rate that is left, Θ·|g|/${clip}`;
  return {
    ...measurement,
    readings: measurement.readings.map((reading) => {
      const factor = factors[reading.name];
      return factor === undefined ? reading : { ...reading, value: reading.value * factor, bound: reading.bound * factor };
    }),
    instruments: measurement.instruments.map((state) => (state.on && state.instrument in factors ? { ...state, reason } : state)),
  };
}
