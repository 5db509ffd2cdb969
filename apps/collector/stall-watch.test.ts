import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { StallWatch } from './stall-watch.js';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] }));
afterEach(() => void vi.useRealTimers());

function watch(): { readonly stalls: StallWatch; readonly said: number[]; readonly standStill: (ms: number) => void } {
  let awayMs = 0;
  const said: number[] = [];
  const now = (): number => performance.now() + awayMs;
  const stalls = new StallWatch({ intervalMs: 100, lateMs: 500, now, stalled: (ms) => said.push(ms) });
  stalls.start();
  // The clock goes on while no timer runs.
  return { stalls, said, standStill: (ms) => void (awayMs += ms) };
}

it('StallWatch - says nothing of timers that come on time, or a little late', () => {
  const { stalls, said, standStill } = watch();
  vi.advanceTimersByTime(1000);
  standStill(300);
  vi.advanceTimersByTime(1000);
  expect(stalls.lastEndMs()).toBe(-Infinity);
  expect(said).toEqual([]);
  stalls.close();
});

it('StallWatch - knows when a stall ended, also when it is asked before its own timer runs', () => {
  const { stalls, said, standStill } = watch();
  vi.advanceTimersByTime(150);
  standStill(60_000);
  const endMs = stalls.lastEndMs();
  expect(endMs).toBeGreaterThan(60_000);
  vi.advanceTimersByTime(1000);
  expect(stalls.lastEndMs()).toBe(endMs);
  expect(said).toHaveLength(1);
  expect(said[0]).toBeGreaterThan(59_000);
  stalls.close();
});
