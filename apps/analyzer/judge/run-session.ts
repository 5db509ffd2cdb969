import { artifactsOf, type ArtifactReferences } from '#bus/artifact-references.js';
import type { Message } from '#bus/bus.js';
import type { Envelope } from '#wire/generated/messages.js';
import { tellDeadLetter } from '../dead-letter.js';
import { decode } from '../decode.js';
import type { Work } from '../group-worker.js';
import type { Measuring } from '../measuring/measuring.js';
import type { AnalyzerParts } from '../parts.js';
import { outlast, stopIfAborted } from '../weather.js';
import { advance, failureOf } from './advance.js';
import { dropBlobs } from './drop-blobs.js';
import { Gathered, publish, writeRows } from './flush.js';
import type { RunMemory } from './memory.js';
import type { Cause } from './outcome.js';
import { readMemory } from './read-memory.js';
import { encodeMemory } from './saved-memory.js';

export interface SessionParts extends AnalyzerParts {
  readonly measuring: Measuring;
  readonly references: ArtifactReferences;
  readonly keepSnapshots: boolean;
  /** While messages wait, what they changed is written at most so often. */
  readonly flushEveryMs: number;
}

/** Works through the messages of one lease: advances the memory, writes, publishes, commits. It waits for no measurement. */
export class RunSession {
  private memory: RunMemory | undefined;
  private gathered = new Gathered();
  private flushing: Promise<void> = Promise.resolve();
  private flushedMs = performance.now();
  /** Findings that are not written yet. */
  private untold = 0;
  /** The measuring part has the newest memory of this lease; one that is committed later is older. */
  private isOffered = false;

  constructor(
    private readonly parts: SessionParts,
    private readonly work: Work,
  ) {
    const { state, subject } = work.lease;
    this.memory = readMemory(state, subject, parts.logger);
  }

  async run(): Promise<void> {
    this.sweep();
    try {
      for (const message of this.work.lease.messages) {
        stopIfAborted(this.work.signal, 'judge');
        await this.take(message);
        if (this.work.cautious || performance.now() - this.flushedMs >= this.parts.flushEveryMs) await this.flush();
        if (this.work.cautious) await this.flushing;
      }
      // What was found is written before the next measurement begins; when nothing was, it need not wait for the rows.
      if (this.untold === 0 && this.memory !== undefined) {
        this.offer(this.memory);
        this.isOffered = true;
      }
      await this.flush();
    } finally {
      await this.flushing;
    }
  }

  private async take(message: Message): Promise<void> {
    const envelope = decode(message);
    const cause: Cause = { run: message.subject, position: message.position, timeMs: envelope.receivedTimeMs };
    if (envelope.model !== undefined) await this.parts.references.add(cause.run, artifactsOf(envelope.model));
    const failed = this.memory && failureOf(this.memory, envelope);
    if (failed !== undefined) return this.setAside(envelope, cause, failed);
    this.advance(envelope, cause);
  }

  private advance(envelope: Envelope, cause: Cause): void {
    const outcome = advance(this.memory, envelope, cause);
    this.memory = outcome?.memory ?? this.memory;
    this.gathered.take(outcome, cause.position);
    this.untold += outcome?.findings.length ?? 0;
  }

  /** A snapshot could not be measured: the message that says so becomes a dead letter, and the run goes on without it. */
  private async setAside(envelope: Envelope, cause: Cause, reason: string): Promise<void> {
    const { lease, signal } = this.work;
    const { logger, metrics, measuring } = this.parts;
    await this.flush();
    await this.flushing;
    this.advance(envelope, cause);
    const { memory, gathered } = this;
    if (memory === undefined) return;
    await outlast('waiting snapshots', () => measuring.committing(cause.run, memory), signal, logger);
    await this.write(gathered, memory);
    const message = lease.messages.find(({ position }) => position === cause.position)!;
    await outlast('dead letter', () => tellDeadLetter(this.parts, 'judge', message, reason), signal, logger);
    await outlast('reject', () => lease.reject(cause.position, reason, encodeMemory(memory)), signal, logger);
    metrics.deadLetters.inc({ stream: 'records', group: 'judge' });
    logger.error({ run: cause.run }, reason);
    this.forget();
    await this.committed(gathered, memory);
  }

  /** Begins to write what has gathered, after what began before; the next messages are worked on meanwhile. */
  private async flush(): Promise<void> {
    await this.flushing;
    const { gathered, memory } = this;
    if (gathered.first === undefined) return;
    this.forget();
    this.flushing = this.finish(gathered, memory);
    // Whoever waits for it next gets the error; until then it is not unhandled.
    this.flushing.catch(() => undefined);
  }

  private forget(): void {
    this.gathered = new Gathered();
    this.flushedMs = performance.now();
    if (this.memory !== undefined) this.memory = { ...this.memory, garbage: [] };
  }

  private async finish(gathered: Gathered, memory: RunMemory | undefined): Promise<void> {
    const { lease, signal } = this.work;
    const { measuring, logger } = this.parts;
    if (memory !== undefined) {
      // First of all: who reads that a run has finished must not miss that measurements wait.
      await outlast('waiting snapshots', () => measuring.committing(lease.subject, memory), signal, logger);
      await this.write(gathered, memory);
    }
    const state = memory === undefined ? undefined : encodeMemory(memory);
    await outlast('commit', () => lease.commit(gathered.last, state), signal, logger);
    if (memory !== undefined) await this.committed(gathered, memory);
  }

  private async write(gathered: Gathered, memory: RunMemory): Promise<void> {
    const { store, bus, measuring, logger } = this.parts;
    const { lease, signal } = this.work;
    const run = lease.subject;
    await outlast('rows', () => writeRows(store, run, memory, gathered), signal, logger);
    stopIfAborted(signal, 'judge');
    await outlast('messages', () => publish(bus, run, memory, gathered, measuring.body(run, memory)), signal, logger);
  }

  private async committed(gathered: Gathered, memory: RunMemory): Promise<void> {
    const { measuring, metrics, logger } = this.parts;
    const { lease, signal } = this.work;
    this.untold -= gathered.findings.length;
    for (const { kind } of gathered.findings) metrics.findings.inc({ kind });
    this.offer(memory);
    // Last of all, also when the service closes: while the run counts as waiting, a service that starts sweeps after it.
    await dropBlobs(this.parts, memory.garbage);
    await outlast('waiting snapshots', () => measuring.committed(lease.subject, memory), signal, logger);
  }

  private offer(memory: RunMemory): void {
    if (!this.isOffered) this.parts.measuring.offer(this.work.lease.subject, memory);
  }

  /** What a service that ended between commit and removal left. It is gone before the next commit, which forgets it. */
  private sweep(): void {
    if (this.memory === undefined || this.memory.garbage.length === 0) return;
    this.flushing = dropBlobs(this.parts, this.memory.garbage);
    this.memory = { ...this.memory, garbage: [] };
  }
}
