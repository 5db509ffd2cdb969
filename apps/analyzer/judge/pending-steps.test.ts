import { describe, expect, it } from 'vitest';
import {
  addMeasurement,
  addPoints,
  completeUpTo,
  noPendingSteps,
  type Completed,
  type PendingSteps,
  type Point,
} from './pending-steps.js';

const loss = (step: number, value = 1): Point => ({ step, name: 'loss.train', value });

/** Applies one call after the other, through JSON, and lists the steps that became complete after each. */
function after(...calls: ((pending: PendingSteps) => Completed)[]): number[][] {
  let pending = noPendingSteps;
  return calls.map((call) => {
    const result = call(JSON.parse(JSON.stringify(pending)) as PendingSteps);
    pending = result.pending;
    return result.complete.map(({ step }) => step);
  });
}
const points =
  (list: Point[], newest = Math.max(...list.map(({ step }) => step))) =>
  (pending: PendingSteps) =>
    addPoints(pending, list, newest);
const measured = (step: number) => (pending: PendingSteps) => addMeasurement(pending, step, { sharpness: 2 });

describe('pending steps', () => {
  it('completes a step when a later one has come', () => {
    expect(after(points([loss(0), loss(1)]), points([loss(2)]))).toEqual([[0], [1]]);
  });

  it('completes a step when its snapshot and its loss are there, in either order', () => {
    expect(after(points([loss(0)]), measured(0))).toEqual([[], [0]]);
    expect(after(measured(0), points([loss(0)]))).toEqual([[], [0]]);
  });

  it('waits for the loss of measured steps, however many snapshots come first', () => {
    expect(after(measured(0), measured(1), measured(2), points([loss(0), loss(1), loss(2)]))).toEqual([[], [], [], [0, 1, 2]]);
  });

  it('takes a batch of numbers that nobody judges as a sign that older steps are over', () => {
    expect(after(measured(4), points([], 5))).toEqual([[], [4]]);
  });

  it('completes all up to a heartbeat, and never a step twice', () => {
    expect(after(measured(3), (pending) => completeUpTo(pending, 3), points([loss(3)]), points([loss(2), loss(4)]))).toEqual([
      [],
      [3],
      [],
      [],
    ]);
  });

  it('bounds what waits', () => {
    const calls = Array.from({ length: 300 }, (_, step) => measured(step));
    expect(after(...calls).flat()).toEqual(Array.from({ length: 44 }, (_, step) => step));
  });

  it('keeps what was measured against what was logged under the same name, and numbers that JSON cannot hold', () => {
    const first = addMeasurement(noPendingSteps, 0, { sharpness: 2, 'loss.probe': Number.NaN });
    const saved = JSON.parse(JSON.stringify(first.pending)) as PendingSteps;
    const { complete } = addPoints(saved, [loss(0, Number.NEGATIVE_INFINITY), { step: 0, name: 'sharpness', value: 9 }], 0);
    expect(complete).toEqual([
      { step: 0, readings: { sharpness: 2, 'loss.probe': Number.NaN, 'loss.train': Number.NEGATIVE_INFINITY } },
    ]);
  });
});
