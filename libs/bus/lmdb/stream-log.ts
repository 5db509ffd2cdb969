import type { Message, OutgoingMessage, PublishResult, StreamOptions } from '../bus.js';
import { after, idKey, indexKey, messageKey, readPosition, streamKey, subjectKey, writePosition } from './keys.js';
import { decodeMessage, encodeMessage, subjectOf, timeOf } from './message-row.js';
import type { Subjects } from './subjects.js';
import type { Tables } from './tables.js';
import { Wake } from './wake.js';
import type { Batch } from './writer.js';

/** What is known of one subject in one stream; one row of `marks`. */
export interface Mark {
  readonly subject: number;
  /** Position of its newest message. */
  last: number;
  /** Messages up to here are gone; their ids may still be known. */
  erased: number;
  /** Ids up to here are forgotten. */
  forgotten: number;
  /** Ids that are known although their message is gone. */
  ghosts: number;
}

const defaultKeep = { messages: 10_000, bytes: 64 * 1024 ** 2 };

/** One append-only log: its messages, the index by subject, and the ids that make publishing twice harmless. */
export class StreamLog {
  readonly marks = new Map<number, Mark>();
  readonly wake = new Wake();
  /** Position of the newest durable message. */
  head: number;
  private readonly plan: { head: number; trim: number };
  /** Of a `recent` stream: what it holds, durable or about to be. */
  private readonly kept = { messages: 0, bytes: 0 };

  constructor(
    readonly number: number,
    readonly name: string,
    readonly options: StreamOptions,
    private readonly idWindow: number,
    private readonly tables: Tables,
    private readonly subjects: Subjects,
  ) {
    const row = tables.heads.get(streamKey(number));
    this.plan = { head: row ? readPosition(row, 0) : 0, trim: row ? readPosition(row, 8) : 0 };
    this.head = this.plan.head;
    const prefix = streamKey(number);
    for (const { key, value } of tables.marks.getRange({ start: prefix, end: after(prefix) })) {
      const subject = key.readUInt32BE(2);
      this.marks.set(subject, {
        subject,
        last: readPosition(value, 0),
        erased: readPosition(value, 8),
        forgotten: readPosition(value, 16),
        ghosts: value.readUInt32BE(24),
      });
    }
    if (options.retention !== 'recent') return;
    for (const { value } of tables.messages.getRange({ start: prefix, end: after(prefix) })) {
      this.kept.messages++;
      this.kept.bytes += value.length;
    }
  }

  /** Messages of a subject up to this position are gone. */
  erased(subject: number): number {
    return Math.max(this.plan.trim, this.marks.get(subject)?.erased ?? 0);
  }

  floor(): number {
    const prefix = streamKey(this.number);
    for (const key of this.tables.messages.getKeys({ start: prefix, end: after(prefix), limit: 1 }))
      return readPosition(key, 2) - 1;
    return this.head;
  }

  /** Plans the append; `published` hears of each subject and its new messages once they are durable. */
  append(
    messages: readonly OutgoingMessage[],
    timeMs: number,
    batch: Batch,
    published: (subject: number, count: number) => void,
  ): PublishResult[] {
    const counts = new Map<number, number>();
    const results = messages.map((message) => this.appendOne(message, timeMs, batch, counts));
    if (counts.size > 0) {
      const head = this.plan.head;
      batch.onSuccess(() => {
        this.head = Math.max(this.head, head);
        for (const [subject, count] of counts) published(subject, count);
        this.wake.all();
      });
    }
    return results;
  }

  private appendOne(message: OutgoingMessage, timeMs: number, batch: Batch, counts: Map<number, number>): PublishResult {
    const subject = this.subjects.intern(message.subject, batch);
    const id = Buffer.from(message.id);
    const key = idKey(this.number, subject, id);
    const text = key.toString('latin1');
    const known = batch.ids.has(text) ? batch.ids.get(text) : this.known(subject, key);
    if (known !== undefined) return { position: known, duplicate: true };

    this.changeHeads(batch);
    const position = ++this.plan.head;
    const mark = this.mark(subject, batch);
    mark.last = position;
    batch.ids.set(text, position);
    const encoded = encodeMessage(timeMs, subject, id, message.body);
    batch.put(this.tables.messages, messageKey(this.number, position), encoded);
    this.keep(batch, 1, encoded.length);
    batch.put(this.tables.index, indexKey(this.number, subject, position), id);
    const row = Buffer.allocUnsafe(8);
    writePosition(row, position, 0);
    batch.put(this.tables.ids, key, row);
    counts.set(subject, (counts.get(subject) ?? 0) + 1);
    return { position, duplicate: false };
  }

  private known(subject: number, key: Buffer): number | undefined {
    if (!this.marks.has(subject)) return undefined;
    const row = this.tables.ids.get(key);
    return row === undefined ? undefined : readPosition(row, 0);
  }

  /** Reads durable messages of the stream, or of one subject, in order. Short: holds no read transaction afterwards. */
  read(from: { readonly after: number; readonly subject?: number }, maxMessages: number, maxBytes: number): Message[] {
    const found: Message[] = [];
    let bytes = 0;
    for (const { position, row } of this.rows(from)) {
      const subject = this.subjects.name(subjectOf(row));
      if (subject === undefined) continue;
      bytes += row.length;
      if (found.length > 0 && bytes > maxBytes) break;
      found.push(decodeMessage(row, position, subject));
      if (found.length >= maxMessages) break;
    }
    return found;
  }

  private *rows(from: { readonly after: number; readonly subject?: number }): Generator<{ position: number; row: Buffer }> {
    if (from.subject === undefined) {
      const range = { start: messageKey(this.number, from.after + 1), end: after(streamKey(this.number)) };
      for (const { key, value } of this.tables.messages.getRange(range)) yield { position: readPosition(key, 2), row: value };
      return;
    }
    const first = Math.max(from.after, this.erased(from.subject)) + 1;
    const range = { start: indexKey(this.number, from.subject, first), end: after(subjectKey(this.number, from.subject)) };
    for (const key of this.tables.index.getKeys(range)) {
      const position = readPosition(key, 6);
      const row = this.tables.messages.get(messageKey(this.number, position));
      if (row !== undefined) yield { position, row };
    }
  }

  /** How many durable messages a subject has after a position. */
  count(subject: number, afterPosition: number): number {
    const first = Math.max(afterPosition, this.erased(subject)) + 1;
    return this.tables.index.getKeysCount({
      start: indexKey(this.number, subject, first),
      end: after(subjectKey(this.number, subject)),
    });
  }

  /** The oldest durable message of a subject after a position. */
  first(subject: number, afterPosition: number): { readonly position: number; readonly timeMs: number } | undefined {
    for (const { position, row } of this.rows({ after: afterPosition, subject })) return { position, timeMs: timeOf(row) };
    return undefined;
  }

  /** Plans the removal of a subject's messages up to `position`; the newest of their ids stay known. */
  erase(subject: number, position: number, batch: Batch): void {
    const mark = this.mark(subject, batch);
    if (position <= mark.erased) return;
    const range = { start: indexKey(this.number, subject, mark.erased + 1), end: indexKey(this.number, subject, position + 1) };
    for (const key of this.tables.index.getKeys(range)) {
      batch.remove(this.tables.messages, messageKey(this.number, readPosition(key, 6)));
      mark.ghosts++;
    }
    mark.erased = position;
    this.forgetIds(mark, batch);
  }

  /** For `recent` streams: whether there is more than should be kept, by so much that it is worth a transaction. */
  isOverfull(): boolean {
    if (this.options.retention !== 'recent') return false;
    const { messages, bytes } = this.keeps();
    if (this.kept.messages <= 1) return false;
    return this.kept.messages > messages + Math.max(16, messages / 16) || this.kept.bytes > bytes + bytes / 16;
  }

  /** Plans the removal of what a `recent` stream has too much, the oldest first, at most `limit` messages. The newest stays. */
  trim(limit: number, batch: Batch): void {
    this.changeHeads(batch);
    const { messages, bytes } = this.keeps();
    const range = { start: messageKey(this.number, this.plan.trim + 1), end: messageKey(this.number, this.head) };
    for (const { key, value } of this.tables.messages.getRange({ ...range, limit })) {
      if (this.kept.messages <= messages && this.kept.bytes <= bytes) return;
      const position = readPosition(key, 2);
      batch.remove(this.tables.messages, key);
      this.keep(batch, -1, -value.length);
      this.plan.trim = position;
      const subject = subjectOf(value);
      if (this.subjects.name(subject) === undefined) continue;
      const mark = this.mark(subject, batch);
      mark.erased = position;
      mark.ghosts++;
      this.forgetIds(mark, batch);
    }
  }

  /** A message of a deleted subject goes. */
  dropped(row: Buffer, batch: Batch): void {
    this.keep(batch, -1, -row.length);
  }

  /** Ids that are known although their message is gone, of all subjects together. */
  ghosts(): number {
    let ghosts = 0;
    for (const mark of this.marks.values()) ghosts += mark.ghosts;
    return ghosts;
  }

  /** Plans to forget ids beyond `keep`, those of the subjects first that have been silent for the longest; at most `limit`. */
  forgetOldest(keep: number, limit: number, batch: Batch): void {
    let excess = Math.min(this.ghosts() - keep, limit);
    for (const { subject } of [...this.marks.values()].sort((a, b) => a.last - b.last)) {
      if (excess <= 0) return;
      const mark = this.mark(subject, batch);
      const before = mark.ghosts;
      this.forget(mark, Math.min(before, excess), batch);
      excess -= before - mark.ghosts;
    }
  }

  private keeps(): { readonly messages: number; readonly bytes: number } {
    return { messages: this.options.maxMessages ?? defaultKeep.messages, bytes: this.options.maxBytes ?? defaultKeep.bytes };
  }

  private keep(batch: Batch, messages: number, bytes: number): void {
    if (this.options.retention !== 'recent') return;
    batch.change(this.kept, () => undefined);
    this.kept.messages += messages;
    this.kept.bytes += bytes;
  }

  private forgetIds(mark: Mark, batch: Batch): void {
    const excess = mark.ghosts - this.idWindow;
    // A quarter of the window at a time, so that not every commit starts a range.
    if (excess > this.idWindow / 4) this.forget(mark, excess, batch);
  }

  private forget(mark: Mark, count: number, batch: Batch): void {
    const { subject } = mark;
    const range = {
      start: indexKey(this.number, subject, mark.forgotten + 1),
      end: indexKey(this.number, subject, mark.erased + 1),
    };
    for (const { key, value } of this.tables.index.getRange({ ...range, limit: count })) {
      const id = idKey(this.number, subject, value);
      batch.remove(this.tables.index, key);
      batch.remove(this.tables.ids, id);
      batch.ids.set(id.toString('latin1'), undefined);
      mark.forgotten = readPosition(key, 6);
      mark.ghosts--;
    }
  }

  private mark(subject: number, batch: Batch): Mark {
    let mark = this.marks.get(subject);
    if (mark === undefined) {
      mark = { subject, last: 0, erased: 0, forgotten: 0, ghosts: 0 };
      this.marks.set(subject, mark);
      batch.onFailure(() => this.marks.delete(subject));
    }
    const changed = mark;
    batch.change(changed, () => batch.put(this.tables.marks, subjectKey(this.number, subject), encodeMark(changed)));
    return changed;
  }

  private changeHeads(batch: Batch): void {
    batch.change(this.plan, () => {
      const row = Buffer.allocUnsafe(16);
      writePosition(row, this.plan.head, 0);
      writePosition(row, this.plan.trim, 8);
      batch.put(this.tables.heads, streamKey(this.number), row);
    });
  }
}

function encodeMark(mark: Mark): Buffer {
  const row = Buffer.allocUnsafe(28);
  writePosition(row, mark.last, 0);
  writePosition(row, mark.erased, 8);
  writePosition(row, mark.forgotten, 16);
  row.writeUInt32BE(mark.ghosts, 24);
  return row;
}
