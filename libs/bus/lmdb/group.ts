import type { Logger } from '#runtime/logging.js';
import type { DeadLetter, DeadLetterRef, Group, GroupOptions, Lease, Message, TakeOptions } from '../bus.js';
import { DeadLetters } from './dead-letters.js';
import { after, groupsPrefix, progressKey, readPosition, writePosition } from './keys.js';
import { LmdbLease } from './lease.js';
import type { StreamLog } from './stream-log.js';
import type { Subjects } from './subjects.js';
import type { Tables } from './tables.js';
import { Wake } from './wake.js';
import type { Batch, Writer } from './writer.js';

/** How far a group is with one subject; one row of `progress`. */
interface Progress {
  position: number;
  /** Deliveries of the first message after `position`. */
  deliveries: number;
  /** Messages after `position`. */
  pending: number;
}

export interface GroupParts {
  readonly number: number;
  readonly name: string;
  readonly log: StreamLog;
  /** The smallest position of all groups of the stream for a subject. */
  readonly slowest: (subject: number) => number;
  readonly tables: Tables;
  readonly subjects: Subjects;
  readonly writer: Writer;
  readonly logger: Logger | undefined;
}

/**
 * Hands out subjects. A subject is in one of four places: idle (nothing to do), `ready` (in the order in which they
 * began to wait), held under a lease, or resting after a release with a delay. Leases and rests live in memory: when
 * the process ends, whoever held them is gone too.
 */
export class LmdbGroup implements Group {
  readonly letters: DeadLetters;
  private readonly progress = new Map<number, Progress>();
  private readonly ready = new Set<number>();
  private readonly held = new Map<number, LmdbLease | 'being taken'>();
  private readonly resting = new Map<number, NodeJS.Timeout>();
  private readonly wake = new Wake();
  private closed = false;

  constructor(
    readonly parts: GroupParts,
    public options: GroupOptions,
  ) {
    const { tables, log, number, subjects } = parts;
    const prefix = progressKey(log.number, number, 0).subarray(0, 4);
    for (const { key, value } of tables.progress.getRange({ start: prefix, end: after(prefix) })) {
      const subject = key.readUInt32BE(4);
      if (subjects.name(subject) === undefined) continue;
      this.progress.set(subject, { position: readPosition(value, 0), deliveries: value.readUInt32BE(8), pending: 0 });
    }
    for (const mark of log.marks.values()) {
      if (subjects.name(mark.subject) === undefined || mark.last <= this.position(mark.subject)) continue;
      const progress = this.progressOf(mark.subject);
      progress.pending = log.count(mark.subject, progress.position);
      this.offer(mark.subject);
    }
    this.letters = new DeadLetters({ ...parts, stream: log.number, group: number });
    for (const subject of this.letters.retrying) if (subjects.name(subject) !== undefined) this.offer(subject);
  }

  /** Everything of a subject up to here is finished. */
  position(subject: number): number {
    return this.progress.get(subject)?.position ?? this.parts.log.erased(subject);
  }

  async take(options: TakeOptions): Promise<Lease | undefined> {
    const deadline = performance.now() + options.waitMs;
    while (options.signal?.aborted !== true) {
      if (this.closed) throw new Error('the bus is closed');
      const [subject] = this.ready;
      if (subject !== undefined) {
        const lease = await this.lease(subject, options);
        if (lease !== undefined) return lease;
        continue;
      }
      const waitMs = deadline - performance.now();
      if (waitMs <= 0) return undefined;
      await this.wake.wait({ waitMs, signal: options.signal });
    }
    // Somebody else may take what this one was woken for.
    if (this.ready.size > 0) this.wake.one();
    return undefined;
  }

  async state(subject: string): Promise<Uint8Array | undefined> {
    const number = this.parts.subjects.number(subject);
    return number === undefined ? undefined : this.stateOf(number);
  }

  async deadLetters(): Promise<readonly DeadLetter[]> {
    return this.letters.list();
  }

  async deadLetterCount(): Promise<number> {
    return this.letters.count();
  }

  async retryDeadLetter(ref: DeadLetterRef): Promise<boolean> {
    const subject = await this.letters.retry(ref);
    if (subject === undefined) return false;
    this.letters.retrying.add(subject);
    this.offer(subject);
    return true;
  }

  dropDeadLetter(ref: DeadLetterRef): Promise<boolean> {
    return this.letters.drop(ref);
  }

  async depth(): Promise<{ readonly messages: number; readonly oldestTimeMs: number | undefined }> {
    let messages = this.letters.waiting();
    let oldest: { readonly position: number; readonly timeMs: number } | undefined;
    for (const [subject, progress] of this.progress) {
      if (progress.pending <= 0) continue;
      messages += progress.pending;
      const first = this.parts.log.first(subject, progress.position);
      if (first !== undefined && (oldest === undefined || first.position < oldest.position)) oldest = first;
    }
    return { messages, oldestTimeMs: oldest?.timeMs };
  }

  /** Durable messages have come for a subject. */
  published(subject: number, count: number): void {
    this.progressOf(subject).pending += count;
    this.offer(subject);
  }

  /** The subject is deleted: nobody holds it any more. */
  drop(subject: number): void {
    this.progress.delete(subject);
    this.letters.retrying.delete(subject);
    this.ready.delete(subject);
    this.held.delete(subject);
    clearTimeout(this.resting.get(subject));
    this.resting.delete(subject);
  }

  close(): void {
    this.closed = true;
    for (const timer of this.resting.values()) clearTimeout(timer);
    for (const lease of this.held.values()) if (lease !== 'being taken') lease.stop();
    this.held.clear();
    this.wake.all();
  }

  holds(lease: LmdbLease): boolean {
    return this.held.get(lease.subjectNumber) === lease;
  }

  /** Plans the position and the state of a subject, and what nobody needs any longer goes. */
  advance(subject: number, position: number, finished: number, state: Uint8Array | undefined, batch: Batch): void {
    const { log, tables, number } = this.parts;
    const progress = this.progressOf(subject);
    if (position > progress.position) {
      this.changeProgress(subject, progress, batch);
      progress.position = position;
      progress.deliveries = 0;
      progress.pending -= finished;
      if (log.options.retention === 'work') log.erase(subject, this.parts.slowest(subject), batch);
    }
    if (state !== undefined) batch.put(tables.states, progressKey(log.number, number, subject), Buffer.from(state));
  }

  setAside(subject: number, message: Message, reason: string, batch: Batch): void {
    const { log, logger, name } = this.parts;
    this.letters.add(subject, message, reason, batch);
    batch.onSuccess(() => {
      logger?.warn({ stream: log.name, group: name, subject: message.subject, id: message.id, reason }, 'message set aside');
    });
  }

  /** Nobody holds the subject any longer; after the delay it may be taken again. */
  giveBack(subject: number, delayMs = 0): void {
    this.held.delete(subject);
    if (delayMs <= 0 || this.closed) return this.offer(subject);
    const timer = setTimeout(() => {
      this.resting.delete(subject);
      this.offer(subject);
    }, delayMs);
    timer.unref();
    this.resting.set(subject, timer);
  }

  private offer(subject: number): void {
    if (this.held.has(subject) || this.resting.has(subject) || this.ready.has(subject)) return;
    if ((this.progress.get(subject)?.pending ?? 0) <= 0 && !this.letters.retrying.has(subject)) return;
    this.ready.add(subject);
    this.wake.one();
  }

  private async lease(subject: number, options: TakeOptions): Promise<LmdbLease | undefined> {
    const { log, writer } = this.parts;
    this.ready.delete(subject);
    this.held.set(subject, 'being taken');
    try {
      const retried = this.letters.retrying.has(subject) ? this.retried(subject) : undefined;
      if (retried !== undefined) return retried;
      const progress = this.progressOf(subject);
      const messages = log.read({ after: progress.position, subject }, Math.max(1, options.maxMessages), options.maxBytes);
      const [first] = messages;
      if (first === undefined) {
        progress.pending = 0;
        this.giveBack(subject);
        return undefined;
      }
      const deliveries = await writer.write((batch) => this.deliver(subject, first, batch));
      // Deleted in the meantime.
      if (this.held.get(subject) !== 'being taken') return undefined;
      if (deliveries === undefined) {
        this.giveBack(subject);
        return undefined;
      }
      const lease = new LmdbLease(this, subject, messages, deliveries, this.stateOf(subject));
      this.held.set(subject, lease);
      return lease;
    } catch (error) {
      if (this.held.get(subject) === 'being taken') this.giveBack(subject);
      throw error;
    }
  }

  /** A letter that goes through once more is a lease by itself: what it ends in moves no position. */
  private retried(subject: number): LmdbLease | undefined {
    const message = this.letters.next(subject, this.parts.subjects.name(subject) ?? '');
    if (message === undefined) return undefined;
    const lease = new LmdbLease(this, subject, [message], 1, this.stateOf(subject));
    this.held.set(subject, lease);
    return lease;
  }

  /** Counts the delivery durably before anybody sees the message: what kills the process must not be handed out for ever. */
  private deliver(subject: number, first: Message, batch: Batch): number | undefined {
    if (!this.held.has(subject)) return undefined;
    const progress = this.progressOf(subject);
    if (progress.deliveries >= this.options.maxDeliveries) {
      this.setAside(subject, first, `delivered ${progress.deliveries} times without a commit`, batch);
      this.advance(subject, first.position, 1, undefined, batch);
      return undefined;
    }
    this.changeProgress(subject, progress, batch);
    return ++progress.deliveries;
  }

  private changeProgress(subject: number, progress: Progress, batch: Batch): void {
    const { log, tables, number } = this.parts;
    batch.change(progress, () => {
      const row = Buffer.allocUnsafe(12);
      writePosition(row, progress.position, 0);
      row.writeUInt32BE(progress.deliveries, 8);
      batch.put(tables.progress, progressKey(log.number, number, subject), row);
    });
  }

  private progressOf(subject: number): Progress {
    let progress = this.progress.get(subject);
    if (progress === undefined) {
      progress = { position: this.parts.log.erased(subject), deliveries: 0, pending: 0 };
      this.progress.set(subject, progress);
    }
    return progress;
  }

  private stateOf(subject: number): Uint8Array | undefined {
    const { tables, log, number } = this.parts;
    return tables.states.get(progressKey(log.number, number, subject));
  }
}

/** Keys of everything that a group keeps, for all subjects: its name in `meta`. */
export function groupMetaKey(stream: number, name: string): Buffer {
  return Buffer.concat([groupsPrefix(stream), Buffer.from(name)]);
}
