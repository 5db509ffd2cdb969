import { crc32 } from 'node:zlib';
import type { FileHandle } from 'node:fs/promises';
import { ChecksumMismatch, OffsetMismatch, UploadSuperseded, type Upload } from '../blobs.js';
import { CrcJoin } from './crc-join.js';
import { assertRoom, translate } from './disk.js';

const mib = 1024 * 1024;
/** The disk is asked to sync after so many new bytes, while the stream goes on. */
const syncEveryBytes = 32 * mib;
/** More than this is never left to the disk: then writing waits. */
const maxUnsyncedBytes = 128 * mib;
const maxWriteBytes = 8 * mib;
const roomEveryBytes = 64 * mib;

export interface UploadParts {
  readonly name: string;
  readonly totalBytes: number;
  readonly part: FileHandle;
  readonly writtenBytes: number;
  readonly crc32: number;
  readonly reserveBytes: () => number;
  readonly folder: string;
  /** Moves the synced part to its place. */
  readonly appear: (sum: { readonly bytes: number; readonly crc32: number }) => Promise<void>;
  /** Deletes the part. */
  readonly discard: () => Promise<void>;
  /** The upload is over, in one way or another. */
  readonly ended: () => void;
}

interface Prefix {
  readonly bytes: number;
  readonly crc32: number;
}

interface Pending {
  readonly data: Uint8Array;
  /** With this chunk. */
  readonly prefix: Prefix;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One upload: chunks are checked and summed when they come, written in order by one loop, several at a time, and synced
 * in the background. Memory is what the caller has handed in and not yet seen resolved.
 */
export class FileUpload implements Upload {
  readonly complete = false;
  /** Bytes and their CRC-32: taken in, written, synced. */
  private accepted: Prefix;
  private written: Prefix;
  private durable: Prefix;
  private roomAt: number;
  private queue: Pending[] = [];
  private writing: Promise<void> | undefined;
  private syncing: Promise<void> | undefined;
  private failure: unknown;
  private ending: Promise<void> | undefined;
  private readonly join = new CrcJoin();

  constructor(private readonly parts: UploadParts) {
    this.accepted = this.written = this.durable = { bytes: parts.writtenBytes, crc32: parts.crc32 };
    this.roomAt = parts.writtenBytes + roomEveryBytes;
  }

  get durableBytes(): number {
    return this.durable.bytes;
  }

  get crc32(): number {
    return this.durable.crc32;
  }

  write(offset: number, data: Uint8Array, dataCrc32 = crc32(data)): Promise<void> {
    try {
      this.assertOpen();
      if (offset !== this.accepted.bytes) throw new OffsetMismatch(`expected offset ${this.accepted.bytes}, not ${offset}`);
      if (offset + data.length > this.parts.totalBytes) {
        throw new OffsetMismatch(`${offset + data.length} bytes are more than the announced ${this.parts.totalBytes}`);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    if (data.length === 0) return Promise.resolve();
    const prefix = {
      bytes: offset + data.length,
      crc32: this.join.append(this.accepted.crc32, dataCrc32, data.length),
    };
    this.accepted = prefix;
    return new Promise((resolve, reject) => {
      this.queue.push({ data, prefix, resolve, reject });
      this.writing ??= this.drain();
    });
  }

  async sync(): Promise<number> {
    this.assertOpen();
    await this.settle();
    return this.durable.bytes;
  }

  async commit(expected: number): Promise<void> {
    this.assertOpen();
    await this.settle();
    // Another upload may have taken over while we waited.
    this.assertOpen();
    const { totalBytes, name } = this.parts;
    const { bytes, crc32: sum } = this.durable;
    const right = bytes === totalBytes && sum === expected >>> 0;
    const problem = `${name}: ${bytes} of ${totalBytes} bytes, CRC-32 ${hex(sum)}, expected ${hex(expected)}`;
    await this.end(right ? () => this.parts.appear({ bytes, crc32: sum }) : this.parts.discard);
    if (!right) throw new ChecksumMismatch(problem);
  }

  async close(): Promise<void> {
    if (this.ending === undefined) await this.end();
  }

  /** Another upload, or a deletion, takes the name over. */
  async supersede(): Promise<void> {
    this.failure ??= new UploadSuperseded(`${this.parts.name} is being written by another upload`);
    if (this.ending === undefined) await this.end();
    // A commit under way comes first: the file that it makes visible must not get another writer.
    else await this.ending.catch(() => undefined);
  }

  private end(last?: () => Promise<void>): Promise<void> {
    this.ending = this.finish(last);
    return this.ending;
  }

  private async finish(last?: () => Promise<void>): Promise<void> {
    try {
      await this.writing;
      await this.syncing?.catch(() => undefined);
      await this.parts.part.close();
      await last?.();
    } catch (error) {
      throw translate(error);
    } finally {
      this.parts.ended();
    }
  }

  private assertOpen(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.ending !== undefined) throw new Error(`the upload of ${this.parts.name} is over`);
  }

  /** Everything accepted is written and synced, or throws why not. */
  private async settle(): Promise<void> {
    await this.writing;
    while (this.failure === undefined && this.durable.bytes < this.written.bytes) await this.startSync();
    if (this.failure !== undefined) throw this.failure;
  }

  private async drain(): Promise<void> {
    while (this.queue.length > 0) {
      const chunks = this.nextChunks();
      try {
        if (this.failure !== undefined) throw this.failure;
        if (this.unsyncedBytes() > maxUnsyncedBytes) await this.startSync();
        await this.writeAll(chunks);
        for (const chunk of chunks) chunk.resolve();
        if (this.unsyncedBytes() >= syncEveryBytes) this.startSync().catch(() => undefined);
      } catch (error) {
        await this.fail(error);
        for (const chunk of chunks) chunk.reject(this.failure);
      }
    }
    this.writing = undefined;
  }

  private unsyncedBytes(): number {
    return this.written.bytes - this.durable.bytes;
  }

  private nextChunks(): Pending[] {
    let bytes = 0;
    let count = 0;
    for (const { data } of this.queue) {
      if (count > 0 && bytes + data.length > maxWriteBytes) break;
      bytes += data.length;
      count++;
    }
    return this.queue.splice(0, count);
  }

  private async writeAll(chunks: readonly Pending[]): Promise<void> {
    if (this.written.bytes >= this.roomAt) {
      const reserveBytes = this.parts.reserveBytes();
      if (reserveBytes > 0) await assertRoom(this.parts.folder, reserveBytes);
      this.roomAt = this.written.bytes + roomEveryBytes;
    }
    let rest = chunks.map((chunk) => chunk.data);
    let position = this.written.bytes;
    while (rest.length > 0) {
      const { bytesWritten } = await this.parts.part.writev(rest, position);
      position += bytesWritten;
      rest = skip(rest, bytesWritten);
    }
    this.written = chunks.at(-1)!.prefix;
  }

  /** Keeps what was written whole, so that the upload can be taken up when there is space again. */
  private async fail(reason: unknown): Promise<void> {
    if (this.failure !== undefined) return;
    this.failure = translate(reason);
    try {
      await this.parts.part.truncate(this.written.bytes);
    } catch {
      // The checksum of the next try will tell.
    }
  }

  private startSync(): Promise<void> {
    this.syncing ??= this.syncOnce().finally(() => (this.syncing = undefined));
    return this.syncing;
  }

  private async syncOnce(): Promise<void> {
    const upTo = this.written;
    try {
      await this.parts.part.datasync();
      this.durable = upTo;
    } catch (error) {
      // What a failed sync leaves in the file is unknown, even if the next one succeeds.
      this.failure ??= translate(error);
      throw this.failure;
    }
  }
}

function skip(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest = [...buffers];
  for (let left = bytes; rest.length > 0;) {
    const first = rest[0]!;
    if (first.length > left) {
      if (left > 0) rest[0] = first.subarray(left);
      break;
    }
    left -= first.length;
    rest.shift();
  }
  return rest;
}

function hex(checksum: number): string {
  return (checksum >>> 0).toString(16).padStart(8, '0');
}
