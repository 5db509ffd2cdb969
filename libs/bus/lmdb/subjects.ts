import { numberKey } from './keys.js';
import type { Table, Tables } from './tables.js';
import type { Batch } from './writer.js';

const counterKey = Buffer.from('next-subject');
const maxBytes = 200;

/** Subjects have numbers, so that keys are short and a deleted subject that comes back shares nothing with the old one. */
export class Subjects {
  private readonly numbers = new Map<string, number>();
  private readonly names = new Map<number, string>();
  private readonly counter: { next: number };
  private readonly table: Table;

  constructor(private readonly tables: Tables) {
    this.table = tables.subjects;
    this.counter = { next: tables.meta.get(counterKey)?.readUInt32BE(0) ?? 1 };
    for (const { key, value } of this.table.getRange()) this.remember(key.toString('utf8'), value.readUInt32BE(0));
  }

  number(name: string): number | undefined {
    return this.numbers.get(name);
  }

  /** Undefined for a subject that was deleted. */
  name(number: number): string | undefined {
    return this.names.get(number);
  }

  intern(name: string, batch: Batch): number {
    const known = this.numbers.get(name);
    if (known !== undefined) return known;
    const number = this.counter.next;
    batch.change(this.counter, () => batch.put(this.tables.meta, counterKey, numberKey(this.counter.next)));
    this.counter.next++;
    this.remember(name, number);
    batch.put(this.table, Buffer.from(name), numberKey(number));
    batch.onFailure(() => this.forget(name, number));
    return number;
  }

  forget(name: string, number: number): void {
    this.numbers.delete(name);
    this.names.delete(number);
  }

  private remember(name: string, number: number): void {
    this.numbers.set(name, number);
    this.names.set(number, name);
  }
}

export function assertSubject(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > maxBytes) throw new RangeError(`a subject has 1 to ${maxBytes} bytes, not ${bytes}`);
}
