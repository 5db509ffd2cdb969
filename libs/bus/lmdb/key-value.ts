import type { Entry, KeyValue } from '../bus.js';
import { after, readPosition, writePosition } from './keys.js';
import type { Tables } from './tables.js';
import type { Writer } from './writer.js';

const counterKey = Buffer.from('revision');
const chunk = 256;
const maxKeyBytes = 1000;

/** Revisions grow over all buckets, so that a key that was deleted and put again never has an old one. */
export class Revisions {
  private readonly counter: { last: number };

  constructor(
    readonly tables: Tables,
    readonly writer: Writer,
  ) {
    const row = tables.meta.get(counterKey);
    this.counter = { last: row === undefined ? 0 : readPosition(row, 0) };
  }

  bucket(name: string): KeyValue {
    return new Bucket(this, name);
  }

  put(key: Buffer, value: Uint8Array, expected: number | undefined): Promise<number | undefined> {
    return this.writer.write(
      (batch) => {
        const text = key.toString('latin1');
        if (expected !== undefined) {
          const current = batch.revisions.has(text) ? batch.revisions.get(text) : this.revision(key);
          if ((current ?? 0) !== expected) return undefined;
        }
        batch.change(this.counter, () => batch.put(this.tables.meta, counterKey, positionRow(this.counter.last)));
        const revision = ++this.counter.last;
        batch.revisions.set(text, revision);
        batch.put(this.tables.kv, key, Buffer.concat([positionRow(revision), value]));
        return revision;
      },
      { bytes: value.length },
    );
  }

  delete(key: Buffer): Promise<void> {
    return this.writer.write((batch) => {
      batch.revisions.set(key.toString('latin1'), undefined);
      batch.remove(this.tables.kv, key);
    });
  }

  private revision(key: Buffer): number | undefined {
    const row = this.tables.kv.get(key);
    return row === undefined ? undefined : readPosition(row, 0);
  }
}

class Bucket implements KeyValue {
  private readonly prefix: Buffer;

  constructor(
    private readonly revisions: Revisions,
    name: string,
  ) {
    if (name === '' || name.includes('\0')) throw new RangeError('a bucket needs a name without zero bytes');
    this.prefix = Buffer.from(`${name}\0`);
  }

  async get(key: string): Promise<Entry | undefined> {
    const row = this.revisions.tables.kv.get(this.key(key));
    return row === undefined ? undefined : entry(key, row);
  }

  async put(key: string, value: Uint8Array, expectedRevision?: number): Promise<number | undefined> {
    return this.revisions.put(this.key(key), value, expectedRevision);
  }

  async delete(key: string): Promise<void> {
    return this.revisions.delete(this.key(key));
  }

  async *entries(prefix = ''): AsyncGenerator<Entry> {
    const whole = Buffer.concat([this.prefix, Buffer.from(prefix)]);
    const end = after(whole);
    let start: Buffer = whole;
    for (;;) {
      // A chunk is read at once, so that no read transaction stays open while the caller thinks.
      const rows = [...this.revisions.tables.kv.getRange({ start, end, limit: chunk })];
      for (const { key, value } of rows) yield entry(key.toString('utf8', this.prefix.length), value);
      const last = rows.at(-1);
      if (last === undefined || rows.length < chunk) return;
      start = Buffer.concat([last.key, Buffer.from([0])]);
    }
  }

  private key(key: string): Buffer {
    const bytes = Buffer.from(key);
    if (bytes.length === 0 || bytes.length > maxKeyBytes) throw new RangeError(`a key has 1 to ${maxKeyBytes} bytes`);
    return Buffer.concat([this.prefix, bytes]);
  }
}

function entry(key: string, row: Buffer): Entry {
  return { key, value: row.subarray(8), revision: readPosition(row, 0) };
}

function positionRow(position: number): Buffer {
  const row = Buffer.allocUnsafe(8);
  writePosition(row, position, 0);
  return row;
}
