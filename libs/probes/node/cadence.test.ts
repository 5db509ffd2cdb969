import { expect, it } from 'vitest';
import { Cadence } from './cadence.js';

function taken(cadence: Cadence, from: number, to: number): number[] {
  const steps: number[] = [];
  for (let step = from; step <= to; step++) {
    if (cadence.due(step) === undefined) continue;
    steps.push(step);
    cadence.taken(step);
  }
  return steps;
}

it('cadence - every step up to 10, then by a factor of 1.1', () => {
  const steps = taken(new Cadence(), 0, 1000);
  expect(steps.slice(0, 16)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19]);
  const excess = steps.slice(11).map((step, i) => step - (steps[10 + i]! * 1.1 + 1));
  expect(Math.max(...excess)).toBeLessThanOrEqual(0);
});

it('cadence - a job that goes on is dense where it begins anew', () => {
  expect(taken(new Cadence(500), 500, 640)).toEqual([500, 501, 502, 503, 504, 505, 506, 507, 508, 509, 510, 561, 618]);
});

it('cadence - the service may ask for one now, and for another cadence from a step on', () => {
  const cadence = new Cadence();
  taken(cadence, 0, 100);
  expect(cadence.due(102)).toBeUndefined();
  cadence.askNow('look');
  expect(cadence.due(102)).toBe('look');
  cadence.taken(102);
  cadence.change({ fromStep: 100, everySteps: 5, factor: 1 });
  expect(taken(cadence, 103, 120)).toEqual([107, 112, 117]);
  cadence.change({ fromStep: 110, everySteps: 1, factor: 1.5 });
  expect(taken(cadence, 118, 200)).toEqual([176]);
});

it('cadence - a fixed one heeds no wish', () => {
  const cadence = new Cadence(3, 5);
  expect(taken(cadence, 3, 20)).toEqual([3, 8, 13, 18]);
  cadence.askNow('look');
  cadence.change({ fromStep: 0, everySteps: 1, factor: 1 });
  // Step 23 was not offered; the next ones are in their places again.
  expect(taken(cadence, 24, 35)).toEqual([24, 28, 33]);
});

it('cadence - a wish ends at its step and after its time, and one that comes too late never begins', () => {
  let nowMs = 0;
  const cadence = new Cadence(0, undefined, () => nowMs);
  taken(cadence, 0, 300);
  cadence.change({ fromStep: 0, everySteps: 1, factor: 1, untilStep: 10 });
  expect(taken(cadence, 301, 330)).toHaveLength(1);
  cadence.change({ fromStep: 0, everySteps: 1, factor: 1, untilStep: 340, forMs: 60_000 });
  expect(taken(cadence, 331, 400)).toEqual([331, 332, 333, 334, 335, 336, 337, 338, 339, 340, 375]);
  cadence.change({ fromStep: 0, everySteps: 1, factor: 1, forMs: 60_000 });
  nowMs = 60_001;
  expect(taken(cadence, 401, 460)).toEqual([413, 455]);
});
