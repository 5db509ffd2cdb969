import type { Delivery, Try } from './outbox.js';
import { giveUpAfterMs, nextDelayMs, triesOf, withTry } from './schedule.js';
import type { Send } from './webhook.js';

/** The delivery after a try. */
export function settle(delivery: Delivery, result: Awaited<ReturnType<Send>>, timeMs: number, nowMs: number): Delivery {
  const status = result.status === undefined ? {} : { status: result.status };
  const tried = (outcome: Try['outcome'], error?: string): Delivery => ({
    ...delivery,
    ...withTry(delivery, { timeMs, outcome, ...status, ...(error !== undefined && { error }) }),
  });
  if (result.kind === 'success') return ended(tried('delivered'), 'delivered');
  const error = result.error instanceof Error ? result.error.message : String(result.error);
  if (result.kind === 'failure') return ended(tried('gone', error), 'failed', error);
  if (nowMs - (delivery.sinceMs ?? delivery.createdMs) >= giveUpAfterMs) return ended(tried('failed', error), 'failed', error);
  return { ...tried('retry', error), nextTryMs: nowMs + nextDelayMs(triesOf(delivery) + 1, result.afterMs) };
}

export function ended(delivery: Delivery, state: Delivery['state'], reason?: string): Delivery {
  const { nextTryMs: _, ...rest } = delivery;
  return { ...rest, state, ...(reason !== undefined && { reason }) };
}
