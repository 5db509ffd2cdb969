import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { stopSignal } from '#runtime/stop-signal.js';
import { webhookBody } from './body.js';
import type { Clock } from './clock.js';
import type { Delivery, Item, ItemRef, Outbox } from './outbox.js';
import type { Rule } from './rule.js';
import type { Rules } from './rules.js';
import { pendingOf, RunQueue } from './run-queue.js';
import { ended, settle } from './settle.js';
import { signedHeaders } from './signature.js';
import type { Send } from './webhook.js';

/** Findings in one delivery; the others travel in the next. */
const maxFindings = 100;
/** Findings that may wait for one receiver. What comes beyond is left out, counted, and said in the next delivery. */
const defaultMaxWaiting = 5000;
const errorPauseMs = 5000;

export interface LaneParts {
  readonly rules: Rules;
  readonly outbox: Outbox;
  readonly send: Send;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'alertTries' | 'alertsLeftOut'>;
  readonly externalUrl: string;
  /** For tests. */
  readonly maxWaiting?: number;
}

/** How it goes with one receiver. */
export interface ReceiverState {
  readonly waiting: number;
  /** Of the first of the tries that failed, one after the other, up to now. */
  readonly failingSinceMs?: number;
  readonly error?: string;
  readonly deliveredMs?: number;
}

/**
 * Everything that goes to the receiver of one rule: one delivery at a time, in the order in which they came to be due, and
 * after a failure nothing until the wait is over. No receiver waits for another.
 */
export class ReceiverLane {
  private readonly queues = new Map<string, RunQueue>();
  private readonly stopping = new AbortController();
  private waiting = 0;
  private leftOut = 0;
  private failure: { readonly sinceMs: number; readonly error: string } | undefined;
  private deliveredMs: number | undefined;
  private turning: Promise<void> | undefined;
  private underWay: { readonly run: string; readonly work: Promise<void> } | undefined;
  private again = false;
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly rule: string,
    private readonly parts: LaneParts,
  ) {}

  get isEmpty(): boolean {
    return this.queues.size === 0 && this.underWay === undefined;
  }

  get state(): ReceiverState {
    return {
      waiting: this.waiting,
      ...(this.failure !== undefined && { failingSinceMs: this.failure.sinceMs, error: this.failure.error }),
      ...(this.deliveredMs !== undefined && { deliveredMs: this.deliveredMs }),
    };
  }

  /** Takes up what an earlier process left. */
  takeUp(delivery: Delivery): void {
    const queue = this.queue(delivery.run);
    queue.lastSealedMs = Math.max(queue.lastSealedMs, delivery.createdMs);
    if (delivery.state !== 'pending') return;
    queue.pending = pendingOf(delivery);
    const [first] = delivery.tries;
    if (first === undefined || (this.failure?.sinceMs ?? Infinity) <= first.timeMs) return;
    this.failure = { sinceMs: first.timeMs, error: delivery.tries.at(-1)?.error ?? '' };
  }

  add(item: ItemRef & Pick<Item, 'run'>): void {
    if (this.waiting >= (this.parts.maxWaiting ?? defaultMaxWaiting)) return this.leaveOut(item);
    this.queue(item.run).items.push({ key: item.key, createdMs: item.createdMs });
    this.waiting++;
  }

  wake(): void {
    if (this.stopping.signal.aborted) return;
    this.again = true;
    this.turning ??= this.turns().finally(() => {
      this.turning = undefined;
      if (this.again) this.wake();
    });
  }

  /** The rule is another now: what waits for it may go to the new address at once. */
  ruleChanged(): void {
    const nextTryMs = this.parts.clock.nowMs();
    for (const queue of this.queues.values()) {
      if (queue.pending !== undefined) queue.pending = { ...queue.pending, nextTryMs, isSuspect: false };
    }
    this.wake();
  }

  async forgetRun(run: string): Promise<void> {
    const queue = this.queues.get(run);
    if (queue === undefined) return;
    this.drop(queue);
    queue.gone.abort();
    if (this.underWay?.run === run) await this.underWay.work;
  }

  async close(): Promise<void> {
    this.stopping.abort();
    this.cancelTimer?.();
    await this.turning;
  }

  private queue(run: string): RunQueue {
    let queue = this.queues.get(run);
    if (queue === undefined) {
      queue = new RunQueue(run);
      this.queues.set(run, queue);
    }
    return queue;
  }

  private drop(queue: RunQueue): void {
    this.queues.delete(queue.run);
    this.waiting -= queue.items.length;
    queue.items = [];
  }

  private leaveOut(item: ItemRef & Pick<Item, 'run'>): void {
    this.leftOut++;
    this.parts.metrics.alertsLeftOut.inc();
    this.parts.outbox.drop([item]).catch((error: unknown) => {
      this.parts.logger.warn({ err: error, rule: this.rule }, 'an alert that was left out could not be marked');
    });
  }

  private async turns(): Promise<void> {
    while (this.again && !this.stopping.signal.aborted) {
      this.again = false;
      this.cancelTimer?.();
      const nextMs = await this.turn();
      if (nextMs < Infinity) this.cancelTimer = this.parts.clock.after(nextMs - this.parts.clock.nowMs(), () => this.wake());
    }
  }

  /** Does what is due; answers when it wants to be looked at again. */
  private async turn(): Promise<number> {
    const { rules, clock, logger } = this.parts;
    try {
      while (!this.stopping.signal.aborted) {
        const rule = rules.get(this.rule);
        if (rule?.enabled !== true) {
          await this.cancel(rule === undefined ? 'the rule was deleted' : 'the rule is switched off');
          return Infinity;
        }
        const next = this.next(rule);
        if (next === undefined || next.dueMs > clock.nowMs()) return this.lookAgainMs(rule, next?.dueMs ?? Infinity);
        const work = this.deliver(next.queue, rule);
        this.underWay = { run: next.queue.run, work: work.catch(() => undefined) };
        await work.finally(() => (this.underWay = undefined));
      }
      return Infinity;
    } catch (error) {
      // The outbox could not be read or written; what went out under an id goes out again under it.
      logger.error({ err: error, rule: this.rule }, 'an alert could not be prepared, or its outcome not be saved');
      return clock.nowMs() + errorPauseMs;
    }
  }

  /** The oldest delivery that is under way goes before all others. One that the receiver alone refuses holds up nobody. */
  private next(rule: Rule): { readonly queue: RunQueue; readonly dueMs: number } | undefined {
    let next: { queue: RunQueue; dueMs: number } | undefined;
    let head: RunQueue | undefined;
    for (const queue of this.queues.values()) {
      const { pending } = queue;
      if (pending !== undefined && !pending.isSuspect && (head === undefined || pending.createdMs < head.pending!.createdMs)) {
        head = queue;
      }
      const dueMs = queue.dueMs(rule);
      if (next === undefined || dueMs < next.dueMs) next = { queue, dueMs };
    }
    return head === undefined ? next : { queue: head, dueMs: head.dueMs(rule) };
  }

  /** Queues that only remember when they were told last are forgotten. */
  private lookAgainMs(rule: Rule, dueMs: number): number {
    const nowMs = this.parts.clock.nowMs();
    for (const queue of this.queues.values()) if (queue.isOver(rule, nowMs)) this.queues.delete(queue.run);
    return dueMs;
  }

  private async cancel(reason: string): Promise<void> {
    const { outbox } = this.parts;
    for (const queue of this.queues.values()) {
      const delivery = queue.pending === undefined ? undefined : await outbox.read(queue.pending);
      if (delivery !== undefined) await outbox.save(ended(delivery, 'cancelled', reason));
      queue.pending = undefined;
      await outbox.drop(queue.items.map((item) => ({ ...item, run: queue.run })));
      this.drop(queue);
    }
    this.failure = undefined;
  }

  private async deliver(queue: RunQueue, rule: Rule): Promise<void> {
    const { outbox, clock } = this.parts;
    const delivery = queue.pending === undefined ? await this.seal(queue, rule) : await outbox.read(queue.pending);
    // Its run was deleted meanwhile.
    if (delivery === undefined || queue.gone.signal.aborted) return void (queue.pending = undefined);
    const timeMs = clock.nowMs();
    const result = await this.send(delivery, queue, rule, timeMs);
    if (queue.gone.signal.aborted) return;
    // Broken off by our own end: no try, the next process makes it.
    if (this.stopping.signal.aborted && result.kind !== 'success') return;
    const next = settle(delivery, result, timeMs, clock.nowMs());
    this.tried(next);
    await outbox.save(next);
    queue.pending = next.state === 'pending' ? pendingOf(next) : undefined;
    if (next.tries.at(-1)!.outcome === 'gone') await this.parts.rules.disable(rule.id, 'the receiver answered 410 Gone');
  }

  private async send(delivery: Delivery, queue: RunQueue, rule: Rule, timeMs: number): ReturnType<Send> {
    const { id, run, findings, leftOut = 0 } = delivery;
    const { externalUrl, send } = this.parts;
    const body = webhookBody({ rule: { id: rule.id, name: delivery.ruleName }, run, findings, leftOut, externalUrl });
    const stop = stopSignal([this.stopping.signal, queue.gone.signal]);
    try {
      return await send({ url: rule.url, headers: signedHeaders(id, body, rule.secret, timeMs), body, signal: stop.signal });
    } finally {
      stop.end();
    }
  }

  private async seal(queue: RunQueue, rule: Rule): Promise<Delivery | undefined> {
    const items = queue.items.slice(0, maxFindings);
    const { leftOut } = this;
    const head = { rule: rule.id, ruleName: rule.name, run: queue.run, leftOut };
    const delivery = await this.parts.outbox.seal(items, head, this.parts.clock.nowMs());
    this.leftOut -= leftOut;
    if (queue.gone.signal.aborted) return undefined;
    queue.items = queue.items.slice(items.length);
    this.waiting -= items.length;
    if (delivery === undefined) return undefined;
    queue.pending = pendingOf(delivery);
    queue.lastSealedMs = delivery.createdMs;
    return delivery;
  }

  private tried(delivery: Delivery): void {
    const { logger, metrics } = this.parts;
    const { rule, run, id } = delivery;
    const last = delivery.tries.at(-1)!;
    metrics.alertTries.inc({ outcome: last.outcome });
    const isDelivered = last.outcome === 'delivered';
    logger[isDelivered ? 'info' : 'warn']({ run, rule, delivery: id, ...last }, 'alert delivery tried');
    if (isDelivered) this.deliveredMs = last.timeMs;
    this.failure = isDelivered ? undefined : { sinceMs: this.failure?.sinceMs ?? last.timeMs, error: last.error ?? '' };
  }
}
