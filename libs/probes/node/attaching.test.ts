import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Refusal } from '#wire/status.js';
import { Attaching } from './attaching.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const refusal = (code: string, retryAfterMs: number): Refusal => ({ code, message: '', retryAfterMs, retryable: true });

it('a run that is taken is waited for as long as a dead job would need to count as lost, and not for ever', () => {
  const attaching = new Attaching({ attach: { instanceId: 'i', name: 'n' }, secretFolder: '/nowhere' }, () => undefined);
  expect(attaching.mayBecomeFree(refusal('UNAVAILABLE', 500))).toBe(false);
  expect(attaching.mayBecomeFree(refusal('RUN_TAKEN', 45_000))).toBe(true);
  vi.advanceTimersByTime(45_000);
  // What the later refusals say is no reason to begin anew: a job that lives is always heard of.
  expect(attaching.mayBecomeFree(refusal('RUN_TAKEN', 45_000))).toBe(true);
  vi.advanceTimersByTime(30_000);
  expect(attaching.mayBecomeFree(refusal('RUN_TAKEN', 45_000))).toBe(false);
});
