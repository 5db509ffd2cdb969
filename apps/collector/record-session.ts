import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { OutgoingMessage } from '#bus/bus.js';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import type { Input } from '#wire/codec.js';
import { encodeEnvelope, recordEnveloper } from '#wire/envelope.js';
import type { Gap, Record as WireRecord, StreamRecordsResponse } from '#wire/generated/messages.js';
import type { RawRecord, RecordsMessage } from '#wire/record-stream.js';
import { AckWriter } from './ack-writer.js';
import { checkRecord } from './check-record.js';
import { refuse } from './checks.js';
import { toStatus, translate } from './grpc-errors.js';
import type { GroupPublisher, Saving } from './group-publisher.js';
import type { Identity } from './identity.js';
import type { Presence } from './presence.js';
import type { RunRegistry } from './run-registry.js';

export type RecordsCall = ServerDuplexStream<RecordsMessage, Input<StreamRecordsResponse>>;

export interface SessionParts {
  readonly registry: RunRegistry;
  readonly publisher: GroupPublisher;
  readonly presence: Presence;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly metricsPerRun: number;
  readonly credit: () => number;
  readonly blobBytes: (name: string) => Promise<number | undefined>;
}

/**
 * After a crash between publishing and saving the sequence, records come again, and the bus knows them by their ids. It
 * keeps the newest 4096 ids of a run after its messages were worked through: no more than that may be on the way.
 */
const submitRecords = 1000;
const maxInFlightRecords = 2000;

/** What one message of the client becomes: envelopes for the bus, and what is true once they are durable. */
interface Prepared {
  readonly messages: OutgoingMessage[];
  readonly newMetrics: Set<string>;
  records: number;
  last: { readonly sequence: number; readonly step: number; readonly ended: boolean; readonly awaited: number } | undefined;
}

/** One open stream of records: reads with back-pressure, checks, hands to the group, acknowledges what is durable. */
export class RecordSession {
  private readonly acks: AckWriter;
  private inFlight: Promise<void> = Promise.resolve();
  private inFlightBytes = 0;
  private inFlightRecords = 0;
  private wakeReader: (() => void) | undefined;
  /** The sequence that comes next, and the newest step, counting what is on its way. */
  private expected: number;
  private step: number;
  private ended: boolean;
  private awaited: number;
  /** The newest sequence of this stream; only ever grows. */
  private newest = 0;
  private failed = false;
  private readonly done = withResolvers();

  constructor(
    private readonly call: RecordsCall,
    private readonly identity: Identity,
    private readonly knownMetrics: Set<string>,
    private readonly parts: SessionParts,
  ) {
    this.acks = new AckWriter(call);
    this.expected = identity.state.nextSequence;
    this.step = identity.state.step;
    this.ended = identity.state.ended;
    this.awaited = identity.state.awaited ?? 0;
  }

  /** Serves the stream to its end; never rejects. */
  async run(messages: AsyncIterable<RecordsMessage>): Promise<void> {
    const { identity, parts } = this;
    this.call.write({ welcome: { nextSequence: this.expected, creditBytes: parts.credit() } });
    try {
      await parts.presence.alive(identity);
      for await (const message of messages) {
        if (this.failed) break;
        await this.receive(message);
      }
      await this.inFlight;
      this.acks.flush();
      if (!this.failed) this.call.end();
    } catch (error) {
      // What was good before the fault is kept, and acknowledged before the refusal.
      await this.inFlight.catch(() => undefined);
      this.fail(error);
    } finally {
      this.failed = true;
      this.done.resolve();
    }
  }

  send(control: Input<StreamRecordsResponse>): void {
    if (!this.failed) this.call.write(control);
  }

  /** Ends this stream because its own process has opened a newer one; resolves when nothing of it is on the way. */
  async supersede(): Promise<void> {
    this.fail(new StagewatchError('IDENTITY_IN_USE', 'a newer stream of the same process took over'));
    await this.done.promise;
    await this.inFlight.catch(() => undefined);
  }

  fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.wakeReader?.();
    if (this.call.cancelled) return;
    const told = translate(error);
    if (told instanceof StagewatchError) this.parts.metrics.rejected.inc({ code: told.code });
    else this.parts.logger.error({ err: error, run: this.identity.place.runId }, 'a record stream failed');
    this.acks.flush();
    this.call.emit('error', toStatus(told));
  }

  private async receive(message: RecordsMessage): Promise<void> {
    if (message.kind !== 'batch') {
      if (message.kind === 'empty') return;
      refuse('INVALID_ARGUMENT', 'hello was said already', { field: 'hello', expected: 'batches of records' });
    }
    const { parts, identity } = this;
    await parts.presence.alive(identity);
    parts.metrics.received.inc(message.records.length);
    const envelope = recordEnveloper({ ...identity.place, receivedTimeMs: Date.now() });
    const { records } = message;
    for (let from = 0; from < records.length && !this.failed; from += submitRecords) {
      const to = Math.min(records.length, from + submitRecords);
      const prepared: Prepared = { messages: [], newMetrics: new Set(), records: 0, last: undefined };
      try {
        for (let i = from; i < to; i++) await this.prepare(records[i]!, `batch.records[${i}]`, envelope, prepared);
      } finally {
        this.submit(prepared, (message.wireBytes * (to - from)) / records.length);
      }
      while ((this.inFlightBytes > parts.credit() || this.inFlightRecords > maxInFlightRecords) && !this.failed) {
        await new Promise<void>((resolve) => (this.wakeReader = resolve));
      }
    }
  }

  private async prepare(raw: RawRecord, at: string, envelope: (bytes: Uint8Array) => Buffer, into: Prepared): Promise<void> {
    const { record, bytes } = raw;
    const { sequence } = record;
    const { attempt, rank, runId } = this.identity.place;
    if (sequence < 1 || sequence <= this.newest) {
      refuse('SEQUENCE_BACKWARDS', 'the sequence does not grow', {
        field: `${at}.sequence`,
        value: String(sequence),
        expected: `more than ${this.newest}`,
      });
    }
    this.newest = sequence;
    if (sequence < this.expected) {
      this.parts.metrics.duplicate.inc();
      return;
    }
    const { step } = this;
    const blobBytes = this.parts.blobBytes;
    const isKnownMetric = (name: string): boolean => this.knownMetrics.has(name);
    await checkRecord(record, at, { runId, step, isKnownMetric, blobBytes });
    if (record.body === 'scalars') this.admitMetrics(record, at, into);
    if (sequence > this.expected && !explains(record.gap, this.expected, sequence - 1)) {
      into.messages.push(this.sequenceGap(this.expected, sequence - 1, record.step));
    }
    if (record.body === 'gap')
      this.parts.metrics.gapRecords.inc(Math.max(1, record.gap!.lastSequence - record.gap!.firstSequence + 1));
    into.messages.push({ subject: runId, id: `${attempt}.${rank}.${sequence}`, body: envelope(bytes) });
    into.records++;
    this.expected = sequence + 1;
    this.step = record.step;
    this.ended = record.body === 'end' || (this.ended && mayFollowEnd(record));
    this.awaited = Math.max(0, this.awaited + announced(record));
    into.last = { sequence, step: record.step, ended: this.ended, awaited: this.awaited };
  }

  private admitMetrics(record: Readonly<WireRecord>, at: string, into: Prepared): void {
    const { metricsPerRun } = this.parts;
    for (const [i, name] of record.scalars!.names.entries()) {
      if (this.knownMetrics.has(name)) continue;
      if (this.knownMetrics.size >= metricsPerRun) {
        refuse('TOO_MANY_METRICS', 'the run has as many metrics as it may', {
          field: `${at}.scalars.names[${i}]`,
          value: name,
          expected: `at most ${metricsPerRun} different names a run`,
        });
      }
      this.knownMetrics.add(name);
      into.newMetrics.add(name);
    }
  }

  private sequenceGap(firstSequence: number, lastSequence: number, step: number): OutgoingMessage {
    const { place } = this.identity;
    this.parts.logger.warn({ run: place.runId, step, firstSequence, lastSequence }, 'records are missing from a stream');
    return {
      subject: place.runId,
      id: `gap.${place.attempt}.${place.rank}.${firstSequence}-${lastSequence}`,
      body: encodeEnvelope({ ...place, receivedTimeMs: Date.now(), sequenceGap: { firstSequence, lastSequence, step } }),
    };
  }

  private submit({ messages, newMetrics, records, last }: Prepared, wireBytes: number): void {
    const { publisher, metrics } = this.parts;
    if (messages.length === 0) {
      // Nothing but duplicates: they are durable, and the client wants to hear it.
      this.inFlight = this.inFlight.then(() => this.acks.acknowledge(this.identity.state.nextSequence - 1, this.parts.credit()));
      this.inFlight.catch(() => undefined);
      return;
    }
    this.inFlightBytes += wireBytes;
    this.inFlightRecords += records;
    const before = this.inFlight;
    const durable = publisher.submit({ messages, onDurable: () => this.advance(last!, newMetrics) });
    this.inFlight = Promise.all([before, durable])
      .then(() => {
        metrics.durable.inc(records);
        metrics.acknowledged.inc(records);
        this.acks.acknowledge(last!.sequence, this.parts.credit());
      })
      .finally(() => {
        this.inFlightBytes -= wireBytes;
        this.inFlightRecords -= records;
        this.wakeReader?.();
      });
    this.inFlight.catch((error: unknown) => this.fail(error));
  }

  private advance(last: NonNullable<Prepared['last']>, newMetrics: ReadonlySet<string>): Saving[] {
    const { identity, knownMetrics } = this;
    const { registry } = this.parts;
    const { runId } = identity.place;
    identity.state = {
      ...identity.state,
      nextSequence: last.sequence + 1,
      step: last.step,
      ended: last.ended,
      awaited: last.awaited,
    };
    const savings: Saving[] = [{ key: identity.key, save: () => registry.save(identity) }];
    if (newMetrics.size > 0) savings.push({ key: `metrics.${runId}`, save: () => registry.saveMetrics(runId, knownMetrics) });
    return savings;
  }
}

/** The end of a job does not wait for its snapshots. */
function mayFollowEnd({ body }: Readonly<WireRecord>): boolean {
  return body === 'snapshot' || body === 'gap';
}

/** By how much the number of snapshots grows that are still to come. */
function announced({ body, snapshot, gap }: Readonly<WireRecord>): number {
  if (body === 'taken') return 1;
  return (snapshot?.taken ?? 0) > 0 ? -1 : -(gap?.taken.length ?? 0);
}

/** Whether a gap record accounts for the sequences that are missing in front of it. */
function explains(gap: Gap | null | undefined, first: number, last: number): boolean {
  return gap !== undefined && gap !== null && gap.firstSequence <= first && gap.lastSequence >= last;
}

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
