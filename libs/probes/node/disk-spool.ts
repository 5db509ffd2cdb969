import { randomBytes } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Item } from './item.js';

const prefixBytes = 8;

/**
 * A bounded file of items, first in, first out. Its name is removed as soon as it is open: whatever becomes of the
 * process, nothing stays behind.
 */
export class DiskSpool {
  private file: FileHandle | undefined;
  private writeAt = 0;
  private readAt = 0;
  /** Items in the file. */
  count = 0;

  constructor(
    private readonly folder: string,
    private readonly limitBytes: number,
  ) {}

  get bytes(): number {
    return this.writeAt - this.readAt;
  }

  /** Writes items in order; answers those that found no room, or could not be written. */
  async append(items: readonly Item[]): Promise<readonly Item[]> {
    let written = 0;
    try {
      const file = await this.open();
      for (const item of items) {
        const { bytes, ...rest } = item;
        const header = Buffer.from(JSON.stringify(rest));
        const prefix = Buffer.allocUnsafe(prefixBytes);
        prefix.writeUInt32LE(header.length, 0);
        prefix.writeUInt32LE(bytes.length, 4);
        const total = prefixBytes + header.length + bytes.length;
        if (this.writeAt + total > this.limitBytes) break;
        await writeAll(file, [prefix, header, bytes], this.writeAt);
        this.writeAt += total;
        this.count++;
        written++;
      }
    } catch {
      // A full or broken disk: the next item is written over what was begun.
    }
    return items.slice(written);
  }

  /** The oldest items, about so many bytes of them, and at least one when there are any. */
  async take(readBytes: number): Promise<Item[]> {
    const items: Item[] = [];
    const file = await this.open();
    for (let bytes = 0; this.count > 0 && bytes < readBytes;) {
      const prefix = await readExactly(file, this.readAt, prefixBytes);
      const [headerBytes, bodyBytes] = [prefix.readUInt32LE(0), prefix.readUInt32LE(4)];
      const rest = await readExactly(file, this.readAt + prefixBytes, headerBytes + bodyBytes);
      const header = JSON.parse(rest.toString('utf8', 0, headerBytes)) as Omit<Item, 'bytes'>;
      items.push({ ...header, bytes: rest.subarray(headerBytes) } as Item);
      this.readAt += prefixBytes + rest.length;
      this.count--;
      bytes += rest.length;
    }
    if (this.count === 0) {
      this.readAt = this.writeAt = 0;
      await file.truncate(0);
    }
    return items;
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
    this.count = this.readAt = this.writeAt = 0;
  }

  private async open(): Promise<FileHandle> {
    if (this.file === undefined) {
      const path = join(this.folder, `stagewatch-${process.pid}-${randomBytes(6).toString('hex')}.spool`);
      this.file = await open(path, 'wx+', 0o600);
      await unlink(path);
    }
    return this.file;
  }
}

async function writeAll(file: FileHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  let at = position;
  for (const buffer of buffers) {
    for (let done = 0; done < buffer.length;) {
      const { bytesWritten } = await file.write(buffer, done, buffer.length - done, at);
      done += bytesWritten;
      at += bytesWritten;
    }
  }
}

async function readExactly(file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const target = Buffer.allocUnsafe(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(target, done, bytes - done, position + done);
    if (bytesRead === 0) throw new Error('the spool ended early');
    done += bytesRead;
  }
  return target;
}
