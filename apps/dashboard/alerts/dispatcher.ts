import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { webhookBody } from './body.js';
import type { Clock } from './clock.js';
import type { Delivery, Item, Outbox, Try } from './outbox.js';
import type { Rule } from './rule.js';
import type { Rules } from './rules.js';
import { nextDelayMs } from './schedule.js';
import { signedHeaders } from './signature.js';
import type { Send } from './webhook.js';

/** Findings in one delivery; the others travel in the next. */
const maxFindings = 100;
const maxUnderWay = 8;
const errorPauseMs = 5000;

export interface DispatcherParts {
  readonly rules: Rules;
  readonly outbox: Outbox;
  readonly send: Send;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'alertTries'>;
  readonly externalUrl: string;
}

/** What waits for one rule and one run. */
interface Lane {
  readonly rule: string;
  readonly run: string;
  items: Item[];
  /** At most one is under way: while a receiver is down, findings collect instead of piling up as deliveries. */
  pending: Delivery | undefined;
  lastSealedMs: number;
  busy: boolean;
}

/**
 * From items to deliveries to tries. Everything that is due is done in a turn; a turn comes when something arrives, when
 * a try ends, and when the clock says.
 */
export class Dispatcher {
  private readonly lanes = new Map<string, Lane>();
  private readonly underWay = new Set<Promise<void>>();
  private readonly stopping = new AbortController();
  private turning: Promise<void> | undefined;
  private again = false;
  private cancelTimer: (() => void) | undefined;

  constructor(private readonly parts: DispatcherParts) {}

  /** Takes up what an earlier process left. */
  async start(): Promise<void> {
    const delivered = new Set<string>();
    for await (const delivery of this.parts.outbox.deliveries()) {
      for (const key of delivery.items) delivered.add(key);
      const lane = this.lane(delivery.rule, delivery.run);
      lane.lastSealedMs = Math.max(lane.lastSealedMs, delivery.createdMs);
      if (delivery.state === 'pending') lane.pending = delivery;
    }
    for (const item of await this.parts.outbox.waiting(delivered)) this.lane(item.rule, item.run).items.push(item);
    this.wake();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    this.cancelTimer?.();
    await this.turning;
    await Promise.all(this.underWay);
  }

  add(item: Item): void {
    this.lane(item.rule, item.run).items.push(item);
    this.wake();
  }

  /** A rule is another now: what waits for it may go to the new address at once. */
  ruleChanged(id: string): void {
    const nowMs = this.parts.clock.nowMs();
    for (const lane of this.lanes.values()) {
      if (lane.rule === id && lane.pending !== undefined && !lane.busy) lane.pending = { ...lane.pending, nextTryMs: nowMs };
    }
    this.wake();
  }

  async forgetRun(run: string): Promise<void> {
    for (const [key, lane] of this.lanes) if (lane.run === run) this.lanes.delete(key);
    await this.turning;
  }

  private lane(rule: string, run: string): Lane {
    const key = keyOf(rule, run);
    let lane = this.lanes.get(key);
    if (lane === undefined) {
      lane = { rule, run, items: [], pending: undefined, lastSealedMs: -Infinity, busy: false };
      this.lanes.set(key, lane);
    }
    return lane;
  }

  private wake(): void {
    if (this.stopping.signal.aborted) return;
    this.again = true;
    this.turning ??= this.turns().finally(() => {
      this.turning = undefined;
      if (this.again) this.wake();
    });
  }

  private async turns(): Promise<void> {
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false;
      this.cancelTimer?.();
      let nextMs = Infinity;
      for (const lane of this.lanes.values()) {
        try {
          nextMs = Math.min(nextMs, await this.step(lane));
        } catch (error) {
          this.parts.logger.error({ err: error, run: lane.run, rule: lane.rule }, 'an alert could not be prepared');
          nextMs = Math.min(nextMs, this.parts.clock.nowMs() + errorPauseMs);
        }
      }
      if (nextMs < Infinity) this.cancelTimer = this.parts.clock.after(nextMs - this.parts.clock.nowMs(), () => this.wake());
    }
  }

  /** Does what is due in a lane; answers when it wants to be looked at again. */
  private async step(lane: Lane): Promise<number> {
    if (lane.busy) return Infinity;
    const rule = this.parts.rules.get(lane.rule);
    if (rule?.enabled !== true) {
      await this.cancel(lane, rule === undefined ? 'the rule was deleted' : 'the rule is switched off');
      return Infinity;
    }
    if (lane.pending === undefined) {
      const nowMs = this.parts.clock.nowMs();
      const sealMs = sealTime(lane, rule);
      if (lane.items.length === 0 && sealMs <= nowMs) this.lanes.delete(keyOf(lane.rule, lane.run));
      if (lane.items.length === 0 || sealMs > nowMs) return sealMs > nowMs ? sealMs : Infinity;
      const items = lane.items.slice(0, maxFindings);
      lane.pending = await this.parts.outbox.seal(items, rule.name, this.parts.clock.nowMs());
      lane.items = lane.items.slice(items.length);
      lane.lastSealedMs = lane.pending.createdMs;
    }
    const dueMs = lane.pending.nextTryMs ?? 0;
    if (dueMs > this.parts.clock.nowMs()) return dueMs;
    // The end of a try wakes us.
    if (this.underWay.size < maxUnderWay) this.begin(lane, lane.pending, rule);
    return Infinity;
  }

  private async cancel(lane: Lane, reason: string): Promise<void> {
    const { pending, items } = lane;
    if (pending !== undefined) await this.parts.outbox.save(ended(pending, 'cancelled', pending.tries, reason));
    lane.pending = undefined;
    await this.parts.outbox.drop(items);
    lane.items = lane.items.filter((item) => !items.includes(item));
    if (lane.items.length === 0) this.lanes.delete(keyOf(lane.rule, lane.run));
  }

  private begin(lane: Lane, delivery: Delivery, rule: Rule): void {
    lane.busy = true;
    const work = this.attempt(lane, delivery, rule)
      .catch((error: unknown) => {
        // The outcome could not be saved: the same delivery goes out again, under the same id.
        this.parts.logger.error({ err: error, run: lane.run, rule: lane.rule }, 'the outcome of an alert could not be saved');
        lane.pending = { ...delivery, nextTryMs: this.parts.clock.nowMs() + errorPauseMs };
      })
      .finally(() => {
        lane.busy = false;
        this.underWay.delete(work);
        this.wake();
      });
    this.underWay.add(work);
  }

  private async attempt(lane: Lane, delivery: Delivery, rule: Rule): Promise<void> {
    const { send, clock, outbox, metrics, logger, externalUrl } = this.parts;
    const timeMs = clock.nowMs();
    const { id, run, findings } = delivery;
    const body = webhookBody({ rule: { id: rule.id, name: delivery.ruleName }, run, findings, externalUrl });
    const headers = signedHeaders(id, body, rule.secret, timeMs);
    const result = await send({ url: rule.url, headers, body, signal: this.stopping.signal });
    // Broken off by our own end: no try, the next process makes it.
    if (this.stopping.signal.aborted && result.kind !== 'success') return;
    const next = settle(delivery, result, timeMs, clock.nowMs());
    const last = next.tries.at(-1)!;
    metrics.alertTries.inc({ outcome: last.outcome });
    logger[last.outcome === 'delivered' ? 'info' : 'warn'](
      { run, rule: rule.id, delivery: id, tries: next.tries.length, ...last },
      'alert delivery tried',
    );
    if (this.lanes.get(keyOf(lane.rule, lane.run)) !== lane) return;
    await outbox.save(next);
    lane.pending = next.state === 'pending' ? next : undefined;
    if (last.outcome === 'gone') await this.parts.rules.disable(rule.id, 'the receiver answered 410 Gone');
  }
}

function keyOf(rule: string, run: string): string {
  return `${rule}\n${run}`;
}

/** When the waiting items may travel: after others had time to come, and not too soon after the last delivery. */
function sealTime(lane: Lane, rule: Rule): number {
  const groupedMs = (lane.items[0]?.createdMs ?? -Infinity) + rule.groupSeconds * 1000;
  return Math.max(groupedMs, lane.lastSealedMs + rule.throttleSeconds * 1000);
}

function settle(delivery: Delivery, result: Awaited<ReturnType<Send>>, timeMs: number, nowMs: number): Delivery {
  const status = result.status === undefined ? {} : { status: result.status };
  if (result.kind === 'success')
    return ended(delivery, 'delivered', [...delivery.tries, { timeMs, outcome: 'delivered', ...status }]);
  const error = result.error instanceof Error ? result.error.message : String(result.error);
  const tried = (outcome: Try['outcome']): readonly Try[] => [...delivery.tries, { timeMs, outcome, ...status, error }];
  if (result.kind === 'failure') return ended(delivery, 'failed', tried('gone'), error);
  const delayMs = nextDelayMs(delivery.tries.length + 1, result.afterMs);
  if (delayMs === undefined) return ended(delivery, 'failed', tried('failed'), error);
  return { ...delivery, tries: tried('retry'), nextTryMs: nowMs + delayMs };
}

function ended(delivery: Delivery, state: Delivery['state'], tries: readonly Try[], reason?: string): Delivery {
  const { nextTryMs: _, ...rest } = delivery;
  return { ...rest, state, tries, ...(reason !== undefined && { reason }) };
}
