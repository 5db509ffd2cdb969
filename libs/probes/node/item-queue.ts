import { DiskSpool } from './disk-spool.js';
import { sizeOf, type Item } from './item.js';

const maxReadBytes = 1024 * 1024;

export interface ItemQueueOptions {
  /** Of items that wait; beyond half of it they go to disk. */
  readonly memoryBytes: number;
  readonly spoolBytes: number;
  readonly spoolFolder: string;
}

/**
 * First in, first out, bounded in memory and on disk: the oldest items and the newest are in memory, and what is between
 * them on disk while the service is away.
 */
export class ItemQueue {
  private head: Item[] = [];
  private tail: Item[] = [];
  private memory = 0;
  private spilling: Promise<void> | undefined;
  /** The last spill did not fit; room comes back when the file has been read to its end. */
  private diskFull = false;
  private readonly disk: DiskSpool;

  constructor(private readonly options: ItemQueueOptions) {
    this.disk = new DiskSpool(options.spoolFolder, options.spoolBytes);
  }

  get length(): number {
    return this.head.length + this.tail.length + this.disk.count + (this.spilling === undefined ? 0 : 1);
  }

  get memoryBytes(): number {
    return this.memory;
  }

  get spooledBytes(): number {
    return this.disk.bytes;
  }

  /** Why the next item may be refused. */
  get bound(): 'memory' | 'spool' {
    return this.diskFull ? 'spool' : 'memory';
  }

  /** False when there is no room: the caller accounts for it. What accounts for it always finds room. */
  push(item: Item, always = false): boolean {
    const fits = always || this.memory + sizeOf(item) <= this.options.memoryBytes;
    if (fits) {
      this.tail.push(item);
      this.memory += sizeOf(item);
    }
    this.relieve();
    return fits;
  }

  async shift(): Promise<Item | undefined> {
    for (;;) {
      const item = this.head.shift();
      if (item !== undefined) {
        this.memory -= sizeOf(item);
        return item;
      }
      if (this.disk.count > 0) {
        await this.spilling;
        this.head = await this.disk.take(Math.min(maxReadBytes, this.options.memoryBytes / 4));
        for (const taken of this.head) this.memory += sizeOf(taken);
      } else if (this.spilling !== undefined) await this.spilling;
      else if (this.tail.length > 0) {
        this.head = this.tail;
        this.tail = [];
      } else return undefined;
    }
  }

  async close(): Promise<void> {
    await this.spilling;
    await this.disk.close();
  }

  /** Moves the newest items to disk when memory is half full. */
  private relieve(): void {
    const { memoryBytes, spoolBytes } = this.options;
    if (spoolBytes === 0 || this.memory <= memoryBytes / 2 || this.tail.length === 0) return;
    if (this.spilling !== undefined || (this.diskFull && this.disk.count > 0)) return;
    this.spilling = this.spill().finally(() => {
      this.spilling = undefined;
      if (!this.diskFull) this.relieve();
    });
  }

  private async spill(): Promise<void> {
    const items = this.tail;
    this.tail = [];
    const refused = await this.disk.append(items);
    for (const item of items.slice(0, items.length - refused.length)) this.memory -= sizeOf(item);
    // What was taken in once is kept: memory fills up, and then `push` refuses.
    this.tail = [...refused, ...this.tail];
    this.diskFull = refused.length > 0;
  }
}
