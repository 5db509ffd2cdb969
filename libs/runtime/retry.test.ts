import { expect, it, vi } from 'vitest';
import { backoffMs, retry, sleep, type Outcome } from './retry.js';

const options = { firstDelayMs: 1, maxDelayMs: 4, deadlineMs: 1000 };

it('retry - goes on while the weather is bad and answers the value', async () => {
  let tries = 0;
  const outcome = await retry<number>(async (): Promise<Outcome<number>> => {
    tries++;
    return tries < 4 ? { kind: 'retryable', error: new Error('busy') } : { kind: 'success', value: 7 };
  }, options);
  expect(outcome).toEqual({ kind: 'success', value: 7 });
  expect(tries).toBe(4);
});

it('retry - a failure is final', async () => {
  const attempt = vi.fn<() => Promise<Outcome<number>>>(async () => ({ kind: 'failure', error: 'no' }));
  expect(await retry(attempt, options)).toEqual({ kind: 'failure', error: 'no' });
  expect(attempt).toHaveBeenCalledTimes(1);
});

it('retry - gives up when the asked delay would pass the deadline', async () => {
  const attempt = vi.fn<() => Promise<Outcome<number>>>(async () => ({ kind: 'retryable', error: 'later', afterMs: 5000 }));
  expect(await retry(attempt, options)).toEqual({ kind: 'failure', error: 'later' });
  expect(attempt).toHaveBeenCalledTimes(1);
});

it('retry - the delay doubles up to the ceiling', () => {
  const random = (): number => 1;
  expect([0, 1, 2, 3, 9].map((n) => backoffMs(n, { firstDelayMs: 10, maxDelayMs: 50, random }))).toEqual([10, 20, 40, 50, 50]);
});

it('sleep - ends at once when it is aborted', async () => {
  const stopping = new AbortController();
  const sleeping = sleep(60_000, stopping.signal);
  stopping.abort();
  await expect(sleeping).resolves.toBeUndefined();
});
