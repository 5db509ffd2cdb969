import { letterTables } from './dead-letters.js';
import { after, deadKey, groupsPrefix, idKey, messageKey, numberKey, progressKey, readPosition, subjectKey } from './keys.js';
import type { Table, Tables } from './tables.js';
import type { Batch, Writer } from './writer.js';

const chunk = 2000;

/**
 * Deletes subjects in two steps: in one transaction the name loses its number, and nobody sees its entries any more;
 * then the entries go in chunks. What a crash leaves behind is found in `trash` at the next start.
 */
export class Deletion {
  constructor(
    private readonly tables: Tables,
    private readonly writer: Writer,
    /** Hears of each message that goes. */
    private readonly dropped: (stream: number, row: Buffer, batch: Batch) => void,
  ) {}

  begin(name: string, number: number, hidden: () => void): Promise<void> {
    return this.writer.write(
      (batch) => {
        batch.remove(this.tables.subjects, Buffer.from(name));
        batch.put(this.tables.trash, numberKey(number), Buffer.alloc(1));
        batch.onSuccess(hidden);
      },
      { alone: true },
    );
  }

  resume(failed: (error: unknown) => void): void {
    const keys = Array.from(this.tables.trash.getKeys());
    for (const key of keys) this.sweep(key.readUInt32BE(0)).catch(failed);
  }

  /** Looks only at keys of the subject: with many runs, going through all keys would hold up everybody. */
  async sweep(subject: number): Promise<void> {
    const { tables } = this;
    for (const stream of this.streams()) {
      const mark = subjectKey(stream, subject);
      if (tables.marks.get(mark) !== undefined) {
        await this.drain(tables.index, mark, (entry, id, batch) => {
          const message = messageKey(stream, readPosition(entry, 6));
          const row = tables.messages.get(message);
          if (row !== undefined) this.dropped(stream, row, batch);
          batch.remove(tables.messages, message);
          batch.remove(tables.ids, idKey(stream, subject, id));
        });
      }
      await this.writer.write((batch) => {
        batch.remove(tables.marks, mark);
        for (const group of this.groups(stream)) {
          const key = progressKey(stream, group, subject);
          batch.remove(tables.progress, key);
          batch.remove(tables.states, key);
          const first = deadKey(stream, group, subject, 0);
          for (const table of letterTables(tables)) {
            for (const letter of table.getKeys({ start: first, end: after(key) })) batch.remove(table, letter);
          }
        }
      });
    }
    await this.writer.write((batch) => batch.remove(tables.trash, numberKey(subject)));
  }

  private streams(): readonly number[] {
    return Array.from(this.tables.heads.getKeys(), (key) => key.readUInt16BE(0));
  }

  private groups(stream: number): readonly number[] {
    const prefix = groupsPrefix(stream);
    const rows = this.tables.meta.getRange({ start: prefix, end: after(prefix) });
    return Array.from(rows, ({ value }) => (JSON.parse(value.toString('utf8')) as { number: number }).number);
  }

  private async drain(table: Table, prefix: Buffer, also: (key: Buffer, value: Buffer, batch: Batch) => void): Promise<void> {
    for (let found = chunk; found === chunk;) {
      found = await this.writer.write((batch) => {
        const rows = [...table.getRange({ start: prefix, end: after(prefix), limit: chunk })];
        for (const { key, value } of rows) {
          also(key, value, batch);
          batch.remove(table, key);
        }
        return rows.length;
      });
    }
  }
}
