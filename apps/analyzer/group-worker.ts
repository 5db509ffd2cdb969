import { setMaxListeners } from 'node:events';
import { LeaseLost, type Bus, type Group, type GroupOptions, type Lease, type TakeOptions } from '#bus/bus.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { sleep } from '#runtime/retry.js';
import type { Store } from '#store/store.js';
import { tellDeadLetter } from './dead-letter.js';
import { Poison } from './decode.js';
import { isWeather, Stopped } from './weather.js';

export interface GroupWorkerOptions {
  readonly stream: string;
  readonly group: string;
  readonly leaseMs: number;
  /** Subjects worked on at the same time. */
  readonly concurrency: number;
  readonly take: Pick<TakeOptions, 'maxMessages' | 'maxBytes'>;
}

export interface Work {
  readonly lease: Lease;
  /** Aborted when the service closes or the lease is lost: nothing may be committed after. */
  readonly signal: AbortSignal;
  /** Earlier tries failed: finish message by message, so that the one at fault comes to stand first. */
  readonly cautious: boolean;
}

/** An error of ours on the same message so often makes it a dead letter. Weather does not count: it is waited out. */
const maxTries = 5;
const retryDelayMs = 500;
/** Poison is recognised here, by its errors: a message must not be set aside because the service was restarted often. */
const maxDeliveries = 1_000_000;

/**
 * Works through a group: several subjects at a time, each under a lease that is extended while the work goes on. A
 * handler commits as it goes; whatever it has not committed comes again.
 */
export class GroupWorker {
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];
  private readonly tries = new Map<string, { readonly position: number; readonly count: number }>();
  private readonly subjects = new Map<string, AbortController>();
  private group: Group | undefined;

  constructor(
    private readonly parts: { readonly bus: Bus; readonly logger: Logger; readonly metrics: Metrics; readonly store: Store },
    private readonly options: GroupWorkerOptions,
    private readonly handle: (work: Work) => Promise<void>,
  ) {}

  /** Every group of a stream is declared before the first of them takes: what nobody waits for is not kept. */
  async declare(): Promise<void> {
    const { stream, group, leaseMs, concurrency } = this.options;
    const groupOptions: GroupOptions = { leaseMs, maxDeliveries };
    // One for each loop that waits for work.
    setMaxListeners(concurrency + 1, this.stopping.signal);
    this.group = await this.parts.bus.group(stream, group, groupOptions);
  }

  start(): void {
    const { group } = this;
    if (group === undefined) throw new Error('the group is not declared');
    for (let i = 0; i < this.options.concurrency; i++) this.loops.push(this.loop(group));
  }

  async close(): Promise<void> {
    this.stopping.abort();
    for (const controller of this.subjects.values()) controller.abort();
    await Promise.all(this.loops);
  }

  /** Stops work on a subject, and resolves when nobody works on it any more. */
  async letGo(subject: string): Promise<void> {
    while (this.subjects.has(subject)) {
      this.subjects.get(subject)?.abort();
      await sleep(5);
    }
    this.tries.delete(subject);
  }

  /** What the last commit of a subject left. */
  async state(subject: string): Promise<Uint8Array | undefined> {
    return this.group?.state(subject);
  }

  async measureQueue(): Promise<void> {
    const depth = await this.group?.depth();
    if (depth === undefined) return;
    const labels = { stream: this.options.stream, group: this.options.group };
    this.parts.metrics.queueDepth.set(labels, depth.messages);
    const ageMs = depth.oldestTimeMs === undefined ? 0 : Math.max(0, Date.now() - depth.oldestTimeMs);
    this.parts.metrics.queueAgeSeconds.set(labels, ageMs / 1000);
  }

  private async loop(group: Group): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        const lease = await group.take({ ...this.options.take, waitMs: 60_000, signal });
        if (lease !== undefined) await this.work(lease);
      } catch (error) {
        if (signal.aborted) return;
        this.parts.logger.error({ err: error, group: this.options.group }, 'cannot take work');
        await sleep(retryDelayMs, signal);
      }
    }
  }

  private async work(lease: Lease): Promise<void> {
    const { subject } = lease;
    const controller = new AbortController();
    this.subjects.set(subject, controller);
    if (this.stopping.signal.aborted) controller.abort();
    const extending = setInterval(() => {
      lease.extend().catch(() => controller.abort());
    }, this.options.leaseMs / 3);
    const first = lease.messages[0]!.position;
    const failed = this.tries.get(subject);
    const cautious = failed !== undefined;
    let delayMs = 0;
    try {
      await this.handle({ lease, signal: controller.signal, cautious });
      this.tries.delete(subject);
    } catch (error) {
      delayMs = await this.failed(lease, failed?.position === first ? failed.count + 1 : 1, error);
    } finally {
      clearInterval(extending);
      this.subjects.delete(subject);
      await lease.release(delayMs);
    }
  }

  /** Answers how long the subject should rest. */
  private async failed(lease: Lease, count: number, error: unknown): Promise<number> {
    if (error instanceof LeaseLost || error instanceof Stopped) return 0;
    if (isWeather(error)) return retryDelayMs;
    const { logger, metrics } = this.parts;
    const { stream, group } = this.options;
    const [first] = lease.messages;
    logger.error({ err: error, group, run: lease.subject, position: first!.position, count }, 'work failed');
    const poisonous = error instanceof Poison && error.position === first!.position;
    if (count < maxTries && !poisonous) {
      this.tries.set(lease.subject, { position: first!.position, count });
      return error instanceof Poison ? 0 : retryDelayMs * count;
    }
    this.tries.delete(lease.subject);
    const reason = error instanceof Error ? error.message : String(error);
    try {
      await tellDeadLetter(this.parts, group, first!, reason);
      await lease.reject(first!.position, reason);
      metrics.deadLetters.inc({ stream, group });
    } catch (rejection) {
      logger.error({ err: rejection, group, run: lease.subject }, 'cannot set the message aside');
    }
    return 0;
  }
}
