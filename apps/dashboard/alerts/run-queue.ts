import { isSuspect } from './schedule.js';
import type { Delivery, DeliveryRef, ItemRef } from './outbox.js';
import type { Rule } from './rule.js';

/** A delivery that is under way; its content stays in the outbox. */
export interface Pending extends DeliveryRef {
  readonly nextTryMs: number;
  readonly isSuspect: boolean;
}

export function pendingOf(delivery: Delivery): Pending {
  const { id, createdMs, nextTryMs = 0 } = delivery;
  return { id, createdMs, nextTryMs, isSuspect: isSuspect(delivery) };
}

/** What waits of one run for one receiver: names only, so that thousands of them are small. */
export class RunQueue {
  items: ItemRef[] = [];
  /** At most one: while a receiver is down, findings collect instead of piling up as deliveries. */
  pending: Pending | undefined;
  lastSealedMs = -Infinity;
  /** Aborted when the run is deleted. */
  readonly gone = new AbortController();

  constructor(readonly run: string) {}

  /** When there is something to do; Infinity when there is not. */
  dueMs(rule: Rule): number {
    if (this.pending !== undefined) return this.pending.nextTryMs;
    return this.items.length === 0 ? Infinity : this.sealMs(rule);
  }

  /** Nothing of it has to be remembered any longer. */
  isOver(rule: Rule, nowMs: number): boolean {
    return this.pending === undefined && this.items.length === 0 && this.sealMs(rule) <= nowMs;
  }

  /** When the waiting items may travel: after others had time to come, and not too soon after the last delivery. */
  private sealMs(rule: Rule): number {
    const groupedMs = (this.items[0]?.createdMs ?? -Infinity) + rule.groupSeconds * 1000;
    return Math.max(groupedMs, this.lastSealedMs + rule.throttleSeconds * 1000);
  }
}
