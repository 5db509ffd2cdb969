/** One connection after another: what a session keeps between its messages is all here, which is why this file is long. */
import { setTimeout as wait } from 'node:timers/promises';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import type { AttachRunResponse, Control, StreamRecordsResponse } from '#wire/generated/messages.js';
import type { RecordsRequest } from '#wire/service.js';
import { readRefusal, type Refusal } from '#wire/status.js';
import { Attaching } from './attaching.js';
import { ItemQueue } from './item-queue.js';
import type { Item, SnapshotItem } from './item.js';
import { describeModel } from './describe-model.js';
import type { FromSender, SenderOptions, ToSender } from './messages.js';
import { GapTally, leftOutRecord, recordItem, snapshotRecord } from './records.js';
import { uploadBlob } from './upload.js';
import { Window } from './window.js';

const messageBytes = 256 * 1024;
const messageRecords = 500;
/** Records that have their numbers; the rest waits in the queue, where the disk can take it. */
const windowRecords = 1000;
const firstRetryMs = 200;
const uploadIdleMs = 30_000;
/** So often the same record may be what a stream ends with before it is given up. */
const maxRefusals = 2;
/** Refusals that no other try and no other record can change. */
const hopeless = new Set([
  'UNKNOWN_RUN',
  'UNKNOWN_ATTEMPT',
  'FORBIDDEN',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'IDENTITY_IN_USE',
  'RUN_TAKEN',
  'NOT_FOUND',
  'UNIMPLEMENTED',
]);

/**
 * Carries what the training side hands over to the service: attaches, uploads, streams, sends again what was not
 * acknowledged, and says what had to be left out. Runs on its own until it is told to end; never throws at its owner.
 */
export class Sender {
  private readonly queue: ItemQueue;
  private readonly window = new Window();
  private readonly gaps = new GapTally();
  private readonly stopping = new AbortController();
  /** Taken from the queue and not yet numbered, so that a broken upload is tried again. */
  private current: Item | undefined;
  private readonly attaching: Attaching;
  private attached: AttachRunResponse | undefined;
  private described = false;
  private newestStep = 0;
  private acknowledgedStep = 0;
  private snapshots = 0;
  private off = false;
  private ending = false;
  /** From then on numbers and the end go before snapshots, which are left out. */
  private hurryMs = Number.POSITIVE_INFINITY;
  private refusals = { sequence: 0, count: 0 };
  private pushed = 0;
  private wake = (): void => undefined;
  private readonly warned = new Set<string>();

  constructor(
    private readonly options: SenderOptions,
    private readonly say: (message: FromSender) => void,
  ) {
    const { memoryBytes, spoolBytes, spoolFolder } = options;
    this.queue = new ItemQueue({ memoryBytes, spoolBytes, spoolFolder });
    this.attaching = new Attaching(options, (text) => this.warn(text));
  }

  start(): void {
    this.run().catch((error: unknown) => this.warn(`the probe stopped: ${String(error)}`));
  }

  take(message: ToSender): void {
    if (this.off && message.kind !== 'end') return;
    this.newestStep = Math.max(this.newestStep, message.step);
    switch (message.kind) {
      case 'points': {
        const { names, nameIndex, steps, values, step } = message;
        this.push(recordItem({ step, scalars: { names, nameIndex, steps, values } }, values.length));
        break;
      }
      case 'snapshot': {
        const { step, blob, layout, learningRate, reason } = message;
        const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
        this.push({ kind: 'snapshot', step, key: `s${step}-${this.snapshots++}`, bytes, layout, learningRate, reason });
        break;
      }
      case 'lost':
        this.gaps.add(message, message.reason);
        break;
      case 'end':
        this.last(recordItem({ step: this.newestStep, end: { status: message.status, message: message.message } }));
        void this.end(message.drainMs);
        break;
    }
    this.wake();
  }

  private push(item: Item): void {
    this.pushed++;
    const gap = this.gaps.take(this.newestStep);
    if (gap !== undefined && !this.queue.push(gap)) this.gaps.restore(gap);
    if (!this.queue.push(item)) this.lose(item, this.queue.bound);
  }

  /** The end is always said, and before it what was left out. */
  private last(end: Item): void {
    const gap = this.gaps.take(this.newestStep);
    if (gap !== undefined) this.queue.push(gap, true);
    this.queue.push(end, true);
  }

  private lose(item: Item, reason: string): void {
    const isSnapshot = item.kind === 'snapshot';
    this.gaps.add({ step: item.step, points: isSnapshot ? 0 : item.points, snapshots: isSnapshot ? 1 : 0 }, reason);
  }

  private async end(drainMs: number): Promise<void> {
    this.ending = true;
    const deadline = Date.now() + (this.off ? 0 : drainMs);
    this.hurryMs = deadline - drainMs / 2;
    while (!this.drained() && Date.now() < deadline && !this.off) await wait(5);
    const undelivered = this.window.length + this.queue.length + (this.current === undefined ? 0 : 1);
    this.stopping.abort();
    this.wake();
    this.say({ kind: 'ended', report: { delivered: undelivered === 0, undelivered } });
  }

  private drained(): boolean {
    return this.window.length === 0 && this.queue.length === 0 && this.current === undefined;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    for (let tries = 0; !signal.aborted && !this.off; tries++) {
      const client = createIngestClient({ address: this.options.address, token: this.options.token });
      const acknowledged = this.acknowledgedStep;
      try {
        await this.session(client);
      } catch (error) {
        const refusal = readRefusal(error);
        this.judge(refusal);
        if (this.acknowledgedStep > acknowledged) tries = 0;
        await this.pause(tries, refusal.retryAfterMs ?? 0);
      } finally {
        client.close();
      }
    }
    await this.queue.close();
  }

  private pause(tries: number, atLeastMs: number): Promise<void> {
    const ceiling = Math.min(this.options.maxRetryMs, firstRetryMs * 2 ** Math.min(tries, 20));
    const ms = Math.max(atLeastMs, ceiling * (0.5 + Math.random() / 2));
    return wait(ms, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  /** What a failed session means for the next one. */
  private judge(refusal: Refusal): void {
    if (this.attaching.mayBecomeFree(refusal)) {
      this.warn(`${describe(refusal)}; records are kept until it may be taken up`);
      return;
    }
    if (refusal.retryable && refusal.code !== 'RUN_TAKEN') {
      this.warn(`the service at ${this.options.address} does not answer (${refusal.code}); training goes on, records are kept`);
      return;
    }
    if (hopeless.has(refusal.code) || this.attached === undefined) {
      this.turnOff(`${refusal.code}: ${describe(refusal)}`);
      return;
    }
    const sequence = this.window.firstSequence;
    this.refusals = { sequence, count: this.refusals.sequence === sequence ? this.refusals.count + 1 : 1 };
    this.warn(`the service refused a record, ${refusal.code}: ${describe(refusal)}`);
    if (this.refusals.count >= maxRefusals) {
      this.turnOff(`${refusal.code} again and again`);
      return;
    }
    this.window.replaceFirst(this.acknowledgedStep);
  }

  private turnOff(reason: string): void {
    if (this.off) return;
    this.off = true;
    this.warn(`this run is no longer watched: ${reason}`);
    this.say({ kind: 'off', reason });
    this.wake();
  }

  private async session(client: IngestClient): Promise<void> {
    const { model } = this.options;
    if (this.attached === undefined) {
      this.attached = await this.attaching.attach(client);
      const { runId, attempt, pageUrl } = this.attached;
      this.say({ kind: 'attached', runId, attempt, pageUrl });
    }
    if (!this.described && model !== undefined) {
      const refusal = await describeModel(client, this.place(), model, this.uploadOptions());
      this.described = true;
      if (refusal !== undefined) {
        const reason = `${refusal.code}: ${describe(refusal)}`;
        this.warn(`the model cannot be measured, ${reason}`);
        this.say({ kind: 'unmeasured', reason });
      }
    }
    await this.stream(client);
  }

  private place(): { runId: string; attempt: number; instanceId: string } {
    const { runId, attempt } = this.attached!;
    return { runId, attempt, instanceId: this.options.attach.instanceId };
  }

  private uploadOptions(): { chunkBytes: number; idleMs: number } {
    return { chunkBytes: this.attached!.limits?.chunkBytes ?? 1024 * 1024, idleMs: uploadIdleMs };
  }

  /** One stream, until it breaks (rejects) or everything is sent at the end. */
  private async stream(client: IngestClient): Promise<void> {
    const stream = client.streamRecords();
    let broken: { readonly error: unknown } | undefined;
    let welcome = false;
    stream.on('error', (error) => {
      broken = { error };
      this.wake();
    });
    stream.on('end', () => {
      broken ??= { error: new Error('the service ended the stream') };
      this.wake();
    });
    stream.on('data', (answer: StreamRecordsResponse) => {
      if (answer.welcome !== undefined) {
        welcome = true;
        this.window.restart(answer.welcome.nextSequence, answer.welcome.creditBytes);
      }
      if (answer.acknowledgement !== undefined) this.acknowledge(answer.acknowledgement);
      if (answer.control !== undefined) this.obey(answer.control);
      this.wake();
    });
    const heartbeat = setInterval(() => this.beat(), this.options.heartbeatMs);
    stream.write({ hello: { ...this.place(), rank: this.options.attach.rank ?? 0 } });
    try {
      while (!this.stopping.signal.aborted && !this.off) {
        const changed = new Promise<void>((resolve) => (this.wake = resolve));
        if (broken !== undefined) throw broken.error;
        if (!welcome || !(await this.pump(client, stream))) await changed;
      }
      stream.end();
    } finally {
      clearInterval(heartbeat);
      if (!this.stopping.signal.aborted) stream.cancel();
    }
  }

  /** Moves one thing on; false when there is nothing to do before something changes. */
  private async pump(client: IngestClient, stream: ClientDuplexStream<RecordsRequest, StreamRecordsResponse>): Promise<boolean> {
    if (stream.writableNeedDrain) {
      stream.once('drain', () => this.wake());
      return false;
    }
    const batch = this.window.batch(messageBytes, messageRecords);
    if (batch.length > 0) {
      stream.write({ serialized: batch });
      return true;
    }
    if (this.window.length >= windowRecords || this.window.unsent > 0) return false;
    let moved = false;
    while (this.window.unsent < messageRecords) {
      this.current ??= await this.queue.shift();
      if (this.current === undefined) return moved;
      if (this.current.kind === 'snapshot') {
        // What came before it goes first; the upload takes its time.
        if (moved) return true;
        if (Date.now() < this.hurryMs) await this.upload(client, this.current);
        else this.window.add(leftOutRecord(this.current, 'end'));
      } else this.window.add(this.current);
      this.current = undefined;
      moved = true;
    }
    return moved;
  }

  private async upload(client: IngestClient, item: SnapshotItem): Promise<void> {
    try {
      const blob = await uploadBlob(
        client,
        { ...this.place(), kind: 'BLOB_KIND_SNAPSHOT', key: item.key },
        item.bytes,
        this.uploadOptions(),
      );
      this.window.add(snapshotRecord(item, blob));
    } catch (error) {
      const refusal = readRefusal(error);
      if (refusal.retryable || hopeless.has(refusal.code)) throw error;
      this.warn(`the service refused a snapshot, ${refusal.code}: ${describe(refusal)}`);
      this.lose(item, 'upload');
    }
  }

  private acknowledge({ sequence, creditBytes }: { readonly sequence: number; readonly creditBytes: number }): void {
    this.acknowledgedStep = Math.max(this.acknowledgedStep, this.window.acknowledge(sequence));
    this.window.creditBytes = creditBytes;
  }

  private obey(control: Control): void {
    if (control.snapshotNow !== undefined) this.say({ kind: 'snapshot-now', reason: control.snapshotNow.reason });
    if (control.cadence !== undefined) this.say({ kind: 'cadence', cadence: control.cadence });
    if (control.stopSending !== undefined) this.turnOff(control.stopSending.reason || 'the service asked to stop');
  }

  /** A word when there is nothing to say, so that silence means something. */
  private beat(): void {
    if (this.pushed === 0 && this.drained() && !this.ending) {
      const heartbeat = { queuedRecords: this.queue.length, spooledBytes: this.queue.spooledBytes };
      this.push(recordItem({ step: this.newestStep, heartbeat }));
      this.wake();
    }
    this.pushed = 0;
  }

  private warn(text: string): void {
    if (this.warned.has(text)) return;
    if (this.warned.size < 100) this.warned.add(text);
    this.say({ kind: 'warning', text });
  }
}

function describe({ message, field, value, expected }: Refusal): string {
  const parts = [message, field && `field ${field}`, value && `value ${value}`, expected && `expected ${expected}`];
  return parts.filter((part) => part !== undefined && part !== '').join(', ');
}
