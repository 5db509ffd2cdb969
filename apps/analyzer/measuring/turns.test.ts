import { describe, expect, it } from 'vitest';
import type { OutstandingSnapshot } from '../judge/outstanding.js';
import { ExpectedSeconds } from './expected-seconds.js';
import { FairTurns } from './fair-turns.js';
import { staleSnapshots } from './stale-snapshots.js';

/** Serves runs that always have more to measure, and counts the seconds that each got. */
function served(seconds: Readonly<Record<string, number>>, turns: number): { order: string[]; got: Record<string, number> } {
  const fair = new FairTurns();
  const order: string[] = [];
  const got: Record<string, number> = {};
  for (let i = 0; i < turns; i++) {
    const run = fair.next(Object.entries(seconds).map(([run, each]) => ({ run, seconds: each })))!;
    fair.began(run);
    fair.ended(run, seconds[run]!);
    order.push(run);
    got[run] = (got[run] ?? 0) + seconds[run]!;
  }
  return { order, got };
}

describe('FairTurns', () => {
  it('gives equal runs turns one after the other', () => {
    expect(served({ a: 1, b: 1, c: 1 }, 7).order.join('')).toBe('abcabca');
  });

  it('gives short and long ones as many seconds, the short ones first', () => {
    const { order, got } = served({ long: 100, short: 1 }, 505);
    expect(order.indexOf('long')).toBe(99);
    expect(Math.abs(got['long']! - got['short']!)).toBeLessThanOrEqual(100);
  });

  it('gives a run that comes late no more than the others get from then on', () => {
    const fair = new FairTurns();
    for (let i = 0; i < 50; i++) {
      fair.began('early');
      fair.ended('early', 10);
    }
    const order: string[] = [];
    for (let i = 0; i < 6; i++) {
      const run = fair.next(['early', 'late'].map((name) => ({ run: name, seconds: 10 })))!;
      order.push(run);
      fair.began(run);
      fair.ended(run, 10);
    }
    expect(order.filter((run) => run === 'late').length).toBeLessThanOrEqual(4);
    expect(order).toContain('early');
  });

  it('has no turn for nobody', () => {
    expect(new FairTurns().next([])).toBeUndefined();
  });
});

describe('ExpectedSeconds', () => {
  it('goes by the size before the first measurement, and by what was measured afterwards', () => {
    const expected = new ExpectedSeconds();
    expect(expected.of('a', 1e9)).toBeGreaterThan(expected.of('a', 1e3));
    expected.took('a', 1e3, 5);
    expect(expected.of('a', 1e3)).toBe(5);
    expect(expected.of('b', 1e3)).toBeGreaterThan(1);
  });

  it('believes the first one only when it was too long to be the start', () => {
    const expected = new ExpectedSeconds();
    expected.took('a', 1, 8);
    expect(expected.atLeast('a', 60)).toBeUndefined();
    expect(expected.atLeast('a', 5)).toBe(8);
    for (const seconds of [3, 2, 9]) expected.took('a', 1, seconds);
    expect(expected.atLeast('a', 60)).toBe(2);
  });
});

describe('staleSnapshots', () => {
  const waiting = (count: number, asked: readonly number[] = []): OutstandingSnapshot[] =>
    Array.from({ length: count }, (_, step) => ({
      position: step,
      step,
      timeMs: 0,
      blob: `${step}`,
      layout: 0,
      learningRate: 0.1,
      reason: asked.includes(step) ? 'asked' : 'cadence',
    }));
  const stale = (...args: Parameters<typeof staleSnapshots>): number[] => staleSnapshots(...args).map(({ step }) => step);

  it('are none while a few wait, or all are measured soon', () => {
    expect(stale(waiting(4), 1000, 60, true)).toEqual([]);
    expect(stale(waiting(500), 0.1, 60, true)).toEqual([]);
  });

  it('are the oldest, but never what was asked for, nor the first of a model, nor the newest four', () => {
    expect(stale(waiting(9), 30, 60, true)).toEqual([0, 1, 2, 3, 4]);
    expect(stale(waiting(9, [1, 3]), 30, 60, true)).toEqual([0, 2, 4]);
    expect(stale(waiting(9), 30, 60, false)).toEqual([1, 2, 3, 4]);
    expect(stale(waiting(9), 10, 60, true)).toEqual([0, 1, 2]);
  });
});
