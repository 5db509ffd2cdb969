import { setTimeout as sleep } from 'node:timers/promises';
import type { Bus, Group, Lease, Message } from '#bus/bus.js';
import { decodeJson, type FindingBody } from '#bus/messages.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import type { Clock } from './clock.js';
import type { Item, Outbox } from './outbox.js';
import { ruleMatches } from './rule.js';
import type { Rules } from './rules.js';

const takeOptions = { maxMessages: 100, maxBytes: 4 * 1024 * 1024, waitMs: 60_000 };
const pauseMs = 1000;

export interface IntakeParts {
  readonly bus: Bus;
  readonly rules: Rules;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'deadLetters'>;
  readonly received: (item: Item) => void;
}

/**
 * Findings into the outbox, then the commit. Killed in between, the same findings come again and make the same items,
 * which are there already.
 */
export class Intake {
  private readonly stopping = new AbortController();
  private loop: Promise<void> | undefined;
  private storing: Promise<void> = Promise.resolve();

  constructor(private readonly parts: IntakeParts) {}

  async start(): Promise<void> {
    const group = await this.parts.bus.group('findings', 'alerts', { leaseMs: 30_000, maxDeliveries: 20 });
    this.loop ??= this.run(group);
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.loop;
  }

  /** Resolves when the findings that were in hand are in the outbox. */
  async quiet(): Promise<void> {
    await this.storing.catch(() => undefined);
  }

  private async run(group: Group): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let lease: Lease | undefined;
      try {
        lease = await group.take({ ...takeOptions, signal });
        if (lease !== undefined) await (this.storing = this.store(lease));
        await lease?.release();
      } catch (error) {
        if (signal.aborted) return;
        this.parts.logger.warn(
          { err: error, run: lease?.subject },
          'findings could not be put into the outbox; they will come again',
        );
        await lease?.release(pauseMs).catch(() => undefined);
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  private async store(lease: Lease): Promise<void> {
    const { rules, outbox, clock, metrics, received } = this.parts;
    const garbage: number[] = [];
    const adding: Promise<Item | undefined>[] = [];
    for (const message of lease.messages) {
      const finding = read(message);
      if (finding === undefined) garbage.push(message.position);
      else
        for (const rule of rules.all()) if (ruleMatches(rule, finding)) adding.push(outbox.add(rule.id, finding, clock.nowMs()));
    }
    // Those that were stored are told on even when another was not: it comes again, and they do not.
    const added = await Promise.allSettled(adding);
    for (const result of added) if (result.status === 'fulfilled' && result.value !== undefined) received(result.value);
    const failed = added.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    for (const position of garbage) {
      await lease.reject(position, 'not a finding');
      metrics.deadLetters.inc({ stream: 'findings', group: 'alerts' });
    }
    const last = lease.messages.at(-1)!.position;
    if (last !== garbage.at(-1)) await lease.commit(last);
  }
}

function read(message: Message): FindingBody | undefined {
  try {
    const body = decodeJson<Partial<FindingBody> | null>(message.body);
    const texts = [body?.id, body?.run, body?.kind, body?.text, body?.runName, body?.project];
    return texts.every((text) => typeof text === 'string') ? (body as FindingBody) : undefined;
  } catch {
    return undefined;
  }
}
