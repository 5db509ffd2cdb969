import { describe, expect, it } from 'vitest';
import {
  addMeasured,
  addPoints,
  addSnapshot,
  closeUpTo,
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
/** A snapshot comes; its message's position is its step. */
const taken = (step: number) => (pending: PendingSteps) => addSnapshot(pending, step, { lr: 0.1 }, step);
const measured = (step: number) => (pending: PendingSteps) => addMeasured(pending, [step], { sharpness: 2 });
const leftOut =
  (...steps: number[]) =>
  (pending: PendingSteps) =>
    addMeasured(pending, steps, {});
const never = (step: number) => (pending: PendingSteps) => addSnapshot(pending, step, {}, undefined);

describe('pending steps', () => {
  it('completes a step when a later one has come', () => {
    expect(after(points([loss(0), loss(1)]), points([loss(2)]))).toEqual([[0], [1]]);
  });

  it('completes a step when its loss is there and its snapshot has been measured, in either order', () => {
    expect(after(points([loss(0)]), taken(0), measured(0))).toEqual([[], [], [0]]);
    expect(after(taken(0), points([loss(0)]), measured(0))).toEqual([[], [], [0]]);
    expect(after(taken(0), measured(0), points([loss(0)]))).toEqual([[], [], [0]]);
    expect(after(points([loss(0)]), never(0))).toEqual([[], [0]]);
  });

  it('holds back what comes after a measurement that is outstanding, and gives it in order then', () => {
    expect(after(points([loss(0)]), taken(0), points([loss(1), loss(2)]), taken(2), measured(0), measured(2))).toEqual([
      [],
      [],
      [],
      [],
      [0, 1],
      [2],
    ]);
    expect(
      after(taken(0), taken(1), taken(2), points([loss(0), loss(1), loss(2)]), leftOut(1), measured(2), measured(0)),
    ).toEqual([[], [], [], [], [], [], [0, 1, 2]]);
  });

  it('judges the same of each step, however late its measurement comes', () => {
    const log = [
      points([loss(0)]),
      taken(0),
      points([loss(0, 7), loss(1)]),
      taken(1),
      points([loss(2)]),
      (p: PendingSteps) => closeUpTo(p, 2),
    ];
    const stepsOf = (calls: ((pending: PendingSteps) => Completed)[]): Completed['complete'] => {
      let pending = noPendingSteps;
      return calls.flatMap((call) => {
        const result = call(pending);
        pending = result.pending;
        return result.complete;
      });
    };
    const atOnce = stepsOf([...log.slice(0, 2), measured(0), ...log.slice(2, 4), measured(1), ...log.slice(4)]);
    expect(stepsOf([...log, measured(0), measured(1)])).toEqual(atOnce);
    expect(stepsOf([...log.slice(0, 3), measured(0), ...log.slice(3), measured(1)])).toEqual(atOnce);
    expect(atOnce.map(({ step, readings }) => [step, readings])).toEqual([
      [0, { 'loss.train': 1, lr: 0.1, sharpness: 2 }],
      [1, { 'loss.train': 1, lr: 0.1, sharpness: 2 }],
      [2, { 'loss.train': 1 }],
    ]);
  });

  it('waits for the loss of measured steps, however many snapshots come first', () => {
    const snapshots = [0, 1, 2].flatMap((step) => [taken(step), measured(step)]);
    expect(after(...snapshots, points([loss(0), loss(1), loss(2)])).at(-1)).toEqual([0, 1, 2]);
  });

  it('takes a batch of numbers that nobody judges as a sign that older steps are over', () => {
    expect(after(never(4), points([], 5))).toEqual([[], [4]]);
  });

  it('completes all up to a heartbeat, and never a step twice', () => {
    expect(after(never(3), (pending) => closeUpTo(pending, 3), points([loss(3)]), points([loss(2), loss(4)]))).toEqual([
      [],
      [3],
      [],
      [],
    ]);
  });

  it('bounds what is open', () => {
    const calls = Array.from({ length: 300 }, (_, step) => never(step));
    expect(after(...calls).flat()).toEqual(Array.from({ length: 44 }, (_, step) => step));
  });

  it('bounds what waits behind a measurement, and loses neither the measurement nor what decides a stage', () => {
    let pending = addSnapshot(noPendingSteps, 0, { lr: 0.1 }, 0).pending;
    for (let step = 0; step < 5000; step++) {
      const value = step === 3000 ? Number.NaN : step === 3500 ? 1e9 : 1 + Math.sin(step) / 10;
      const rate = { step, name: 'lr', value: step < 2000 ? 0.1 : 0.2 };
      const result = addPoints(pending, [loss(step, value), rate], step);
      expect(result.complete).toEqual([]);
      pending = result.pending;
      expect(pending.waiting.length).toBeLessThanOrEqual(258);
    }
    const { complete } = addMeasured(pending, [0], { sharpness: 2 });
    const steps = complete.map(({ step }) => step);
    expect(complete[0]).toMatchObject({ step: 0, readings: { sharpness: 2 } });
    for (const step of [1, 16, 1999, 2000, 3000, 3500]) expect(steps).toContain(step);
    expect(steps.length).toBeGreaterThan(100);
  });

  it('goes on without the oldest measurement when too many are outstanding', () => {
    const calls = Array.from({ length: 300 }, (_, step) => [taken(step), points([loss(step)])]).flat();
    expect(after(...calls, measured(299)).flat()).toEqual(Array.from({ length: 44 }, (_, step) => step));
  });

  it('keeps what was measured against what was logged under the same name, and numbers that JSON cannot hold', () => {
    const first = addSnapshot(noPendingSteps, 0, {}, 7);
    const second = addMeasured(first.pending, [7], { sharpness: 2, 'loss.probe': Number.NaN });
    const saved = JSON.parse(JSON.stringify(second.pending)) as PendingSteps;
    const { complete } = addPoints(saved, [loss(0, Number.NEGATIVE_INFINITY), { step: 0, name: 'sharpness', value: 9 }], 0);
    expect(complete).toEqual([
      { step: 0, readings: { sharpness: 2, 'loss.probe': Number.NaN, 'loss.train': Number.NEGATIVE_INFINITY } },
    ]);
  });
});
