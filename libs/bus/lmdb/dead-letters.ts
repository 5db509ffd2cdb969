import type { DeadLetter, DeadLetterRef, Message } from '../bus.js';
import { decodeDeadLetter, encodeDeadLetter } from './dead-letter-row.js';
import { after, deadKey, progressKey, readPosition } from './keys.js';
import type { Subjects } from './subjects.js';
import type { Table, Tables } from './tables.js';
import type { Batch, Writer } from './writer.js';

export interface DeadLetterParts {
  readonly stream: number;
  readonly group: number;
  readonly tables: Pick<Tables, 'dead' | 'retries'>;
  readonly subjects: Subjects;
  readonly writer: Writer;
}

/**
 * What a group has set aside, and what of it waits to go through the group once more. A letter is in `dead` or in `retries`,
 * moved by one transaction; it leaves `retries` with the commit of whoever worked on it.
 */
export class DeadLetters {
  /** Subjects that may have something in `retries`. */
  readonly retrying = new Set<number>();
  private readonly moving = new Set<string>();

  constructor(private readonly parts: DeadLetterParts) {
    for (const key of parts.tables.retries.getKeys(this.range())) this.retrying.add(key.readUInt32BE(4));
  }

  count(): number {
    return this.parts.tables.dead.getKeysCount(this.range());
  }

  /** Of those that are to be worked on again. */
  waiting(): number {
    return this.retrying.size === 0 ? 0 : this.parts.tables.retries.getKeysCount(this.range());
  }

  list(): readonly DeadLetter[] {
    const { tables, subjects } = this.parts;
    const letters: DeadLetter[] = [];
    for (const { key, value } of tables.dead.getRange(this.range())) {
      const subject = subjects.name(key.readUInt32BE(4));
      if (subject !== undefined) letters.push(decodeDeadLetter(value, readPosition(key, 8), subject));
    }
    return letters.sort((a, b) => a.timeMs - b.timeMs || a.message.position - b.message.position);
  }

  add(subject: number, message: Message, reason: string, batch: Batch): void {
    const key = this.key(subject, message.position);
    batch.put(this.parts.tables.dead, key, encodeDeadLetter(message, reason, Date.now()));
    batch.remove(this.parts.tables.retries, key);
  }

  /** The first letter of a subject that waits to be worked on again. */
  next(subject: number, name: string): Message | undefined {
    for (const { key, value } of this.parts.tables.retries.getRange({ ...this.range(subject), limit: 1 })) {
      return decodeDeadLetter(value, readPosition(key, 8), name).message;
    }
    this.retrying.delete(subject);
    return undefined;
  }

  finished(subject: number, position: number, batch: Batch): void {
    batch.remove(this.parts.tables.retries, this.key(subject, position));
  }

  /** The number of the subject when the letter was there, and waits now. */
  retry(ref: DeadLetterRef): Promise<number | undefined> {
    return this.move(ref, (row, key, batch) => batch.put(this.parts.tables.retries, key, row));
  }

  async drop(ref: DeadLetterRef): Promise<boolean> {
    return (await this.move(ref, () => undefined)) !== undefined;
  }

  private async move(
    { subject, position }: DeadLetterRef,
    also: (row: Buffer, key: Buffer, batch: Batch) => void,
  ): Promise<number | undefined> {
    const number = this.parts.subjects.number(subject);
    if (number === undefined) return undefined;
    const key = this.key(number, position);
    const text = key.toString('latin1');
    // Two at once would both find it in the tables.
    if (this.moving.has(text)) return undefined;
    this.moving.add(text);
    try {
      const { dead } = this.parts.tables;
      const there = await this.parts.writer.write((batch) => {
        const row = dead.get(key);
        if (row === undefined) return false;
        batch.remove(dead, key);
        also(row, key, batch);
        return true;
      });
      return there ? number : undefined;
    } finally {
      this.moving.delete(text);
    }
  }

  private key(subject: number, position: number): Buffer {
    return deadKey(this.parts.stream, this.parts.group, subject, position);
  }

  private range(subject?: number): { readonly start: Buffer; readonly end: Buffer } {
    const key = progressKey(this.parts.stream, this.parts.group, subject ?? 0);
    const start = subject === undefined ? key.subarray(0, 4) : key;
    return { start, end: after(start) };
  }
}

/** Both hold letters, by the same keys. */
export const letterTables = ({ dead, retries }: Pick<Tables, 'dead' | 'retries'>): readonly Table[] => [dead, retries];
