import { BlobMissing, ChecksumMismatch, StorageFull } from '#blobs/blobs.js';
import { artifactsOf, type ArtifactReferences } from '#bus/artifact-references.js';
import type { Message } from '#bus/bus.js';
import { lossSpecOf } from '#graph/index.js';
import type { Envelope, Record as WireRecord } from '#wire/generated/messages.js';
import { tellDeadLetter } from '../dead-letter.js';
import { decode } from '../decode.js';
import type { Work } from '../group-worker.js';
import { allOff, type MeasureJob, type Measurer, type MeasureResult } from '../measure/measurer.js';
import { storedBlob } from '../measure/stored-bytes.js';
import type { AnalyzerParts } from '../parts.js';
import { outlast, stopIfAborted } from '../weather.js';
import { advance, snapshotToMeasure } from './advance.js';
import type { CadenceBrake } from './cadence-brake.js';
import { optimizerFacts } from './facts.js';
import { Gathered, publish, writeBlob, writeRows } from './flush.js';
import { SnapshotSetAside, type MeasureAttempts } from './measure-attempts.js';
import { decodeMemory, encodeMemory, type RunMemory } from './memory.js';
import type { Cause } from './outcome.js';
import { trackerBlob } from './take-snapshot.js';
import type { TrackerCache } from './tracker-cache.js';

export interface SessionParts extends AnalyzerParts {
  readonly measurer: Measurer;
  readonly attempts: MeasureAttempts;
  readonly trackers: TrackerCache;
  readonly brake: CadenceBrake;
  readonly references: ArtifactReferences;
  readonly keepSnapshots: boolean;
  /** While messages wait, what they changed is written at most so often. */
  readonly flushEveryMs: number;
}

/** Works through the messages of one lease: measures, advances the memory, writes, publishes, commits. */
export class RunSession {
  private memory: RunMemory | undefined;
  private gathered = new Gathered();
  /** The newest tracker that is not in a blob yet. */
  private unsaved: { readonly blob: string; readonly bytes: Uint8Array } | undefined;
  private flushing: Promise<void> = Promise.resolve();
  private flushedMs = performance.now();

  constructor(
    private readonly parts: SessionParts,
    private readonly work: Work,
  ) {
    const { state } = work.lease;
    this.memory = state === undefined ? undefined : decodeMemory(state);
  }

  async run(): Promise<void> {
    await this.sweep();
    try {
      for (const message of this.work.lease.messages) {
        stopIfAborted(this.work.signal, 'judge');
        await this.take(message);
        if (this.work.cautious || performance.now() - this.flushedMs >= this.parts.flushEveryMs) await this.flush();
        if (this.work.cautious) await this.flushing;
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
    const due = snapshotToMeasure(this.memory, envelope);
    if (due === undefined) return this.advance(envelope, cause, undefined);
    const measured = await this.measure(due, cause);
    if (measured instanceof SnapshotSetAside) return this.setAside(envelope, cause, measured.reason);
    this.advance(envelope, cause, measured);
    if (measured.tracker !== undefined) {
      this.unsaved = { blob: trackerBlob(cause), bytes: measured.tracker };
      this.parts.trackers.keep(cause.run, this.unsaved);
    }
    this.parts.brake.measured(cause, due.step, this.memory!);
  }

  private advance(envelope: Envelope, cause: Cause, measured: MeasureResult | undefined): void {
    const outcome = advance(this.memory, envelope, cause, measured);
    this.memory = outcome?.memory ?? this.memory;
    this.gathered.take(outcome, cause.position);
  }

  private async measure(record: WireRecord, cause: Cause): Promise<MeasureResult | SnapshotSetAside> {
    const memory = this.memory!;
    const snapshot = record.snapshot!;
    const { blobs, attempts, trackers, measurer, logger } = this.parts;
    const job: MeasureJob = {
      run: cause.run,
      step: record.step,
      model: memory.model!,
      loss: lossSpecOf(memory.attached.loss),
      optimizer: optimizerFacts(memory.attached.optimizer),
      learningRate: snapshot.learningRate > 0 ? snapshot.learningRate : Number.NaN,
      snapshot: storedBlob(blobs, snapshot.blob),
      tensors: snapshot.tensors,
      tracker: await trackers.read(cause.run, memory.tracker),
      check: memory.checked === null,
      curvatureOff: memory.checked?.ok === false ? memory.checked.reason : undefined,
      artifact: (digest) => storedBlob(blobs, `artifacts/${digest}`),
    };
    try {
      return await attempts.measure(measurer, job, cause, this.work.signal);
    } catch (error) {
      if (!(error instanceof BlobMissing)) throw error;
      logger.warn({ run: cause.run, step: record.step, blob: snapshot.blob }, 'the snapshot is gone');
      return { readings: [], instruments: {}, tracker: undefined, check: undefined };
    }
  }

  /** The snapshot becomes a dead letter; the run goes on without it. */
  private async setAside(envelope: Envelope, cause: Cause, reason: string): Promise<void> {
    const { lease } = this.work;
    await this.flush();
    await this.flushing;
    const step = envelope.record?.step ?? 0;
    const off: MeasureResult = { readings: [], instruments: allOff(reason), tracker: undefined, check: undefined };
    this.advance(envelope, cause, off);
    await this.write();
    const state = encodeMemory(this.memory!);
    const message = lease.messages.find(({ position }) => position === cause.position)!;
    await outlast('dead letter', () => tellDeadLetter(this.parts, 'judge', message, reason), this.work.signal, this.parts.logger);
    await outlast('reject', () => lease.reject(cause.position, reason, state), this.work.signal, this.parts.logger);
    this.parts.metrics.deadLetters.inc({ stream: 'records', group: 'judge' });
    this.parts.logger.error({ run: cause.run, step }, reason);
    await this.committed(this.gathered, this.memory!);
    this.forget();
  }

  /** Begins to write what has gathered, after what began before; the next messages are worked on meanwhile. */
  private async flush(): Promise<void> {
    await this.flushing;
    const { gathered, memory, unsaved } = this;
    if (gathered.first === undefined) return;
    this.forget();
    this.flushing = this.finish(gathered, memory, unsaved);
    // Whoever waits for it next gets the error; until then it is not unhandled.
    this.flushing.catch(() => undefined);
  }

  private forget(): void {
    this.gathered = new Gathered();
    this.unsaved = undefined;
    this.flushedMs = performance.now();
    if (this.memory !== undefined) this.memory = { ...this.memory, garbage: [] };
  }

  private async finish(gathered: Gathered, memory: RunMemory | undefined, unsaved: RunSession['unsaved']): Promise<void> {
    const { lease, signal } = this.work;
    if (memory !== undefined) await this.write(gathered, memory, unsaved);
    const state = memory === undefined ? undefined : encodeMemory(memory);
    await outlast('commit', () => lease.commit(gathered.last, state), signal, this.parts.logger);
    if (memory !== undefined) await this.committed(gathered, memory);
  }

  private async write(gathered = this.gathered, memory = this.memory!, unsaved = this.unsaved): Promise<void> {
    const { store, bus, blobs, logger } = this.parts;
    const { lease, signal } = this.work;
    const run = lease.subject;
    if (
      unsaved !== undefined &&
      memory.tracker?.blob === unsaved.blob &&
      unsaved.bytes.byteLength <= this.parts.trackers.maxSavedBytes
    ) {
      await outlast('tracker', () => saveTracker(unsaved), signal, logger);
    }
    await outlast('rows', () => writeRows(store, run, memory, gathered), signal, logger);
    stopIfAborted(signal, 'judge');
    await outlast('messages', () => publish(bus, run, memory, gathered), signal, logger);

    async function saveTracker({ blob, bytes }: { blob: string; bytes: Uint8Array }): Promise<void> {
      try {
        await writeBlob(blobs, blob, bytes);
      } catch (error) {
        if (error instanceof StorageFull) {
          // It only spares the next measurement after a restart some work; the queue must not wait for it.
          logger.warn(
            { err: error, run, blob },
            'no room to save the tracker: after a restart the run is measured from a cold start',
          );
          return;
        }
        // What an interrupted try left differed; it is forgotten now.
        if (!(error instanceof ChecksumMismatch)) throw error;
        await writeBlob(blobs, blob, bytes);
      }
    }
  }

  private async committed(gathered: Gathered, memory: RunMemory): Promise<void> {
    for (const { kind } of gathered.findings) this.parts.metrics.findings.inc({ kind });
    await this.drop(memory.garbage);
  }

  /** What a service that ended between commit and removal left. */
  private async sweep(): Promise<void> {
    if (this.memory === undefined || this.memory.garbage.length === 0) return;
    await this.drop(this.memory.garbage);
    this.memory = { ...this.memory, garbage: [] };
  }

  private async drop(blobs: readonly string[]): Promise<void> {
    const { keepSnapshots, logger } = this.parts;
    for (const blob of blobs) {
      if (keepSnapshots && !blob.includes('/tracker/')) continue;
      try {
        await this.parts.blobs.delete(blob);
      } catch (error) {
        logger.warn({ err: error, blob }, 'cannot remove a blob that is not needed any more');
      }
    }
  }
}
