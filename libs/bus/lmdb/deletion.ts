import { letterTables } from './dead-letters.js';
import { after, idKey, messageKey, numberKey, readPosition } from './keys.js';
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

  async sweep(subject: number): Promise<void> {
    const { tables } = this;
    const marks = Array.from(tables.marks.getKeys());
    for (const key of marks) {
      if (key.readUInt32BE(2) !== subject) continue;
      await this.drain(tables.index, key, (entry, id, batch) => {
        const stream = entry.readUInt16BE(0);
        const message = messageKey(stream, readPosition(entry, 6));
        const row = tables.messages.get(message);
        if (row !== undefined) this.dropped(stream, row, batch);
        batch.remove(tables.messages, message);
        batch.remove(tables.ids, idKey(stream, subject, id));
      });
      await this.writer.write((batch) => batch.remove(tables.marks, key));
    }
    await this.writer.write((batch) => {
      for (const table of [tables.progress, tables.states, ...letterTables(tables)]) {
        for (const key of table.getKeys()) if (key.readUInt32BE(4) === subject) batch.remove(table, key);
      }
      batch.remove(tables.trash, numberKey(subject));
    });
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
