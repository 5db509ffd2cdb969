import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { stopSignal } from '#runtime/stop-signal.js';
import {
  BusFull,
  type Bus,
  type DeclaredGroup,
  type Group,
  type GroupOptions,
  type KeyValue,
  type Message,
  type OutgoingMessage,
  type PublishResult,
  type StreamOptions,
  type TailOptions,
} from '../bus.js';
import type { BusCopies, CopySource } from './copies/bus-copies.js';
import { Deletion } from './deletion.js';
import type { DiskSpace } from './disk-space.js';
import { groupMetaKey, LmdbGroup } from './group.js';
import { after, streamKey } from './keys.js';
import { Revisions } from './key-value.js';
import { StreamLog } from './stream-log.js';
import { assertSubject, Subjects } from './subjects.js';
import { removeGroupRows } from './remove-group.js';
import { lastTransaction, usedBytes } from './table-pages.js';
import type { Tables } from './tables.js';
import { Upkeep } from './upkeep.js';
import type { Writer } from './writer.js';

const defaultGroup: GroupOptions = { leaseMs: 30_000, maxDeliveries: 5 };
const tailChunk = { messages: 256, bytes: 1024 * 1024 };
const trimMessages = 10_000;
const maxIdBytes = 200;

export interface LmdbBusParts {
  readonly tables: Tables;
  readonly writer: Writer;
  readonly space: DiskSpace;
  readonly streams: Readonly<Record<string, StreamOptions>>;
  readonly idWindow: number;
  readonly maxKnownIds: number;
  readonly maxDeadLetterBytes: number;
  /** Undefined when no copies are kept. */
  readonly copies: (source: CopySource) => BusCopies | undefined;
  readonly logger: Logger | undefined;
  readonly metrics: Metrics | undefined;
}

interface Stream {
  readonly log: StreamLog;
  readonly groups: Map<string, LmdbGroup>;
  trimming: boolean;
}

/** The embedded bus: LMDB for what must last, memory for who is working on what. One process owns the folder. */
export class LmdbBus implements Bus {
  private readonly streams = new Map<string, Stream>();
  private readonly subjects: Subjects;
  private readonly revisions: Revisions;
  private readonly deletion: Deletion;
  private readonly upkeep: Upkeep;
  private readonly copies: BusCopies | undefined;
  private readonly declared = new Set<LmdbGroup>();
  private readonly closing = new AbortController();

  constructor(private readonly parts: LmdbBusParts) {
    const { tables, writer } = parts;
    this.subjects = new Subjects(tables);
    this.revisions = new Revisions(tables, writer);
    this.deletion = new Deletion(tables, writer, (stream, row, batch) => {
      for (const { log } of this.streams.values()) if (log.number === stream) log.dropped(row, batch);
    });
    this.upkeep = new Upkeep({ ...parts, logs: () => Array.from(this.streams.values(), ({ log }) => log) });
    this.copies = parts.copies({
      transaction: () => lastTransaction(tables),
      bytes: () => Promise.resolve(usedBytes(tables)),
      copyTo: (path) => this.copyTo(path),
    });
  }

  async start(): Promise<void> {
    const { tables, writer, streams, idWindow } = this.parts;
    await this.parts.space.look();
    const numbers = await writer.write((batch) => {
      const known = readJson<Record<string, number>>(tables.meta.get(streamNumbersKey)) ?? {};
      let next = Object.values(known).reduce((most, number) => Math.max(most, number), 0) + 1;
      for (const name of Object.keys(streams)) known[name] ??= next++;
      batch.put(tables.meta, streamNumbersKey, Buffer.from(JSON.stringify(known)));
      return known;
    });
    for (const [name, options] of Object.entries(streams)) {
      const log = new StreamLog(numbers[name]!, name, options, idWindow, tables, this.subjects);
      const stream: Stream = { log, groups: new Map(), trimming: false };
      this.streams.set(name, stream);
      const prefix = groupMetaKey(log.number, '');
      for (const { key, value } of tables.meta.getRange({ start: prefix, end: after(prefix) })) {
        const row = readJson<{ number: number; options: GroupOptions }>(value)!;
        this.addGroup(stream, key.toString('utf8', prefix.length), row.number, row.options);
      }
    }
    this.deletion.resume((error) => this.parts.logger?.error({ err: error }, 'could not finish deleting subjects'));
    this.upkeep.start();
    this.copies?.start();
  }

  async publish(stream: string, messages: readonly OutgoingMessage[]): Promise<readonly PublishResult[]> {
    const target = this.stream(stream);
    let bytes = 0;
    for (const message of messages) {
      assertSubject(message.subject);
      const idBytes = Buffer.byteLength(message.id);
      if (idBytes === 0 || idBytes > maxIdBytes)
        throw new RangeError(`a message id has 1 to ${maxIdBytes} bytes, not ${idBytes}`);
      bytes += message.body.length + 64;
    }
    if (messages.length === 0) return [];
    if (target.log.options.intake === true) this.parts.space.assertRoom();
    try {
      const plan = { bytes };
      const results = await this.parts.writer.write(
        (batch) =>
          target.log.append(messages, Date.now(), batch, (subject, count) => {
            for (const group of target.groups.values()) group.published(subject, count);
          }),
        plan,
      );
      this.parts.space.used(bytes);
      if (target.log.isOverfull()) this.trim(target);
      return results;
    } catch (error) {
      if (error instanceof BusFull && target.log.options.intake === true) this.parts.space.full();
      throw error;
    }
  }

  async group(stream: string, name: string, options: Partial<GroupOptions> = {}): Promise<Group> {
    const target = this.stream(stream);
    const { tables, writer } = this.parts;
    const key = groupMetaKey(target.log.number, name);
    const number = await writer.write((batch) => {
      const row = readJson<{ number: number; options: GroupOptions }>(tables.meta.get(key));
      const given = { ...defaultGroup, ...row?.options, ...options };
      const number = row?.number ?? this.nextGroupNumber(target, name);
      batch.put(tables.meta, key, Buffer.from(JSON.stringify({ number, options: given })));
      // In memory before the row is durable, so that nothing is erased in between that the group should see.
      const existing = target.groups.get(name);
      if (existing === undefined) {
        this.addGroup(target, name, number, given);
        batch.onFailure(() => target.groups.delete(name));
      } else existing.options = given;
      return number;
    });
    const group = target.groups.get(name);
    if (group === undefined) throw new Error(`group ${name} (${number}) is gone`);
    this.declared.add(group);
    return group;
  }

  groups(): readonly DeclaredGroup[] {
    return [...this.streams].flatMap(([stream, { groups }]) =>
      Array.from(groups, ([name, group]) => ({ stream, name, group, atWork: this.declared.has(group) })),
    );
  }

  async *tail(stream: string, options: TailOptions): AsyncGenerator<Message> {
    const { log } = this.stream(stream);
    const stop = stopSignal([this.closing.signal, options.signal]);
    try {
      yield* this.follow(log, options, stop.signal);
    } finally {
      stop.end();
    }
  }

  private async *follow(log: StreamLog, options: TailOptions, signal: AbortSignal): AsyncGenerator<Message> {
    let cursor = options.after;
    while (!signal.aborted) {
      const subject = options.subject === undefined ? undefined : this.subjects.number(options.subject);
      const messages =
        options.subject !== undefined && subject === undefined
          ? []
          : log.read({ after: cursor, ...(subject === undefined ? {} : { subject }) }, tailChunk.messages, tailChunk.bytes);
      for (const message of messages) {
        if (signal.aborted) return;
        cursor = message.position;
        yield message;
      }
      // Reading and going to sleep are one step of the event loop: nothing can come in between.
      if (messages.length === 0) await log.wake.wait({ signal });
    }
  }

  async head(stream: string): Promise<number> {
    return this.stream(stream).log.head;
  }

  async floor(stream: string): Promise<number> {
    return this.stream(stream).log.floor();
  }

  kv(bucket: string): KeyValue {
    return this.revisions.bucket(bucket);
  }

  async deleteSubject(subject: string): Promise<void> {
    const number = this.subjects.number(subject);
    if (number === undefined) return;
    await this.deletion.begin(subject, number, () => {
      this.subjects.forget(subject, number);
      for (const { log, groups } of this.streams.values()) {
        log.marks.delete(number);
        for (const group of groups.values()) group.drop(number);
      }
    });
    await this.deletion.sweep(number);
  }

  async check(): Promise<void> {
    if (this.closing.signal.aborted) throw new Error('the bus is closed');
    this.parts.writer.check();
    await this.parts.space.look();
    this.parts.space.assertRoom();
  }

  copyTo(path: string): Promise<void> {
    return this.parts.tables.root.backup(path, true);
  }

  async removeGroup(stream: string, name: string): Promise<boolean> {
    const target = this.stream(stream);
    const group = target.groups.get(name);
    if (group === undefined) return false;
    if (this.declared.has(group)) throw new RangeError(`group ${name} of ${stream} is at work`);
    target.groups.delete(name);
    group.close();
    const others = [...target.groups.values()];
    await removeGroupRows({ ...this.parts, log: target.log, number: group.parts.number, name, others });
    return true;
  }

  async close(): Promise<void> {
    if (this.closing.signal.aborted) return;
    this.closing.abort();
    await this.copies?.close();
    await this.upkeep.close();
    for (const { log, groups } of this.streams.values()) {
      for (const group of groups.values()) group.close();
      log.wake.all();
    }
    await this.parts.writer.close();
    await this.parts.tables.root.close();
  }

  private stream(name: string): Stream {
    const stream = this.streams.get(name);
    if (stream === undefined) throw new RangeError(`there is no stream '${name}'`);
    return stream;
  }

  private addGroup(stream: Stream, name: string, number: number, options: GroupOptions): void {
    const { tables, writer, logger } = this.parts;
    const slowest = (subject: number): number => {
      let least = Infinity;
      for (const group of stream.groups.values()) least = Math.min(least, group.position(subject));
      return least;
    };
    const parts = { number, name, log: stream.log, slowest, tables, writer, subjects: this.subjects, logger };
    stream.groups.set(name, new LmdbGroup(parts, options));
  }

  private nextGroupNumber(stream: Stream, name: string): number {
    const existing = stream.groups.get(name);
    if (existing !== undefined) return existing.parts.number;
    let most = 0;
    for (const group of stream.groups.values()) most = Math.max(most, group.parts.number);
    return most + 1;
  }

  /** Outside of the publish that caused it: the messages to go must be durable to be found. */
  private trim(stream: Stream): void {
    if (stream.trimming) return;
    stream.trimming = true;
    const run = async (): Promise<void> => {
      while (stream.log.isOverfull()) await this.parts.writer.write((batch) => stream.log.trim(trimMessages, batch));
    };
    run()
      .catch((error: unknown) => this.parts.logger?.warn({ err: error, stream: stream.log.name }, 'could not trim a stream'))
      .finally(() => (stream.trimming = false));
  }
}

const streamNumbersKey = Buffer.concat([Buffer.from('streams/'), streamKey(0)]);

function readJson<T>(row: Buffer | undefined): T | undefined {
  return row === undefined ? undefined : (JSON.parse(row.toString('utf8')) as T);
}
