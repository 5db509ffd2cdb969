import { constants, mkdirSync } from 'node:fs';
import { copyFile, open, readdir, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { StagewatchError } from '#runtime/errors.js';
import { syncFolder } from '#runtime/sync.js';
import { BlobMissing, type Blobs, type BlobsCopy, type Upload } from '../blobs.js';
import { FileBlobsCopy } from './blobs-copy.js';
import { assertRoom, isMissing, makeFolder, translate } from './disk.js';
import { FileUpload } from './file-upload.js';
import { Sums } from './sums.js';
import { assertBlobName, assertBlobPrefix, nameOfPart, partFile } from './names.js';

const mib = 1024 * 1024;
const readBytes = 8 * mib;
const staleMs = 24 * 60 * 60 * 1000;

export interface FileBlobsOptions {
  /** A folder of its own; one process at a time may write to it. */
  readonly path: string;
  /** Uploads are refused when the disk would have less than this left; 0 for no reserve. */
  readonly reserveBytes?: number;
  /** What else has to be free on the disk. */
  readonly withheldBytes?: () => number;
}

/** Opens the blobs of an installation on a file system, and sweeps uploads that nobody took up for a day. */
export async function openFileBlobs(options: FileBlobsOptions): Promise<Blobs> {
  const blobs = new FileBlobs(options.path, reserveOf(options));
  await blobs.start();
  return blobs;
}

/**
 * `complete/<name>` holds what readers may see; `parts/` holds uploads under way, as files whose length is what has been
 * written. After a power failure a part may be garbage behind what was synced: its checksum, which is recomputed from
 * the file, tells the sender, and `commit` refuses it.
 */
class FileBlobs implements Blobs {
  private readonly root: string;
  private readonly partsFolder: string;
  private readonly sums: Sums;
  private readonly uploads = new Map<string, FileUpload>();
  /** Per name: opening and deleting, one after the other. */
  private readonly turns = new Map<string, Promise<unknown>>();
  private closed = false;
  private readonly copies = new Set<FileBlobsCopy>();

  constructor(
    path: string,
    private readonly reserveBytes: () => number,
  ) {
    this.root = join(path, 'complete');
    this.partsFolder = join(path, 'parts');
    this.sums = new Sums(join(path, 'sums'));
  }

  async start(): Promise<void> {
    mkdirSync(this.root, { recursive: true });
    mkdirSync(this.partsFolder, { recursive: true });
    const oldest = Date.now() - staleMs;
    for (const file of await readdir(this.partsFolder)) {
      const path = join(this.partsFolder, file);
      if ((await stat(path)).mtimeMs < oldest) await unlink(path);
    }
  }

  async upload(name: string, totalBytes: number): Promise<Upload> {
    assertBlobName(name);
    if (!Number.isSafeInteger(totalBytes) || totalBytes < 0) throw new RangeError(`a blob cannot have ${totalBytes} bytes`);
    return this.inTurn(name, async () => {
      await this.uploads.get(name)?.supersede();
      if ((await this.stat(name))?.bytes === totalBytes) return this.finished(name, totalBytes);
      try {
        return await this.open(name, totalBytes);
      } catch (error) {
        throw translate(error);
      }
    });
  }

  async stat(name: string): Promise<{ readonly bytes: number } | undefined> {
    assertBlobName(name);
    try {
      const found = await stat(join(this.root, name));
      return found.isFile() ? { bytes: found.size } : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async read(name: string, range?: { readonly offset: number; readonly bytes: number }): Promise<Buffer> {
    assertBlobName(name);
    const file = await this.openComplete(name);
    try {
      const { size } = await file.stat();
      const { offset, bytes } = range ?? { offset: 0, bytes: size };
      if (offset < 0 || bytes < 0 || offset + bytes > size) {
        throw new RangeError(`bytes ${offset} to ${offset + bytes} of a blob of ${size}`);
      }
      const whole = range === undefined ? await this.sums.read(name) : undefined;
      let sum = 0;
      const target = Buffer.allocUnsafeSlow(bytes);
      for (let at = 0; at < bytes;) {
        const { bytesRead } = await file.read(target, at, Math.min(bytes - at, readBytes), offset + at);
        if (bytesRead === 0) throw new BlobMissing(`${name} ended at ${offset + at} of ${size} bytes`);
        if (whole !== undefined) sum = crc32(target.subarray(at, at + bytesRead), sum);
        at += bytesRead;
      }
      if (whole !== undefined && (whole.bytes !== bytes || whole.crc32 !== sum)) {
        throw new StagewatchError('DATA_DAMAGED', `blob ${name} is damaged: it differs from its checksum`, { value: name });
      }
      return target;
    } finally {
      await file.close();
    }
  }

  path(name: string): string {
    assertBlobName(name);
    return join(this.root, name);
  }

  async *list(prefix: string): AsyncGenerator<{ readonly name: string; readonly bytes: number }> {
    yield* this.walk(assertBlobPrefix(prefix));
  }

  async delete(name: string): Promise<void> {
    assertBlobName(name);
    await this.inTurn(name, async () => {
      await this.uploads.get(name)?.supersede();
      await rm(join(this.partsFolder, partFile(name)), { force: true });
      for (const copy of this.copies) await copy.rescue(name);
      await this.sums.forget(name);
      try {
        await unlink(join(this.root, name));
        await syncFolder(dirname(join(this.root, name)));
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    });
  }

  async deletePrefix(prefix: string): Promise<void> {
    const folder = assertBlobPrefix(prefix);
    const names = new Set([...this.uploads.keys()].filter((name) => name.startsWith(prefix)));
    for (const file of await readdir(this.partsFolder)) {
      const name = nameOfPart(file);
      if (name?.startsWith(prefix) === true) names.add(name);
    }
    for (const name of names) await this.delete(name);
    const path = join(this.root, folder);
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) return;
    for (const copy of this.copies) for await (const { name } of this.walk(folder)) await copy.rescue(name);
    await this.sums.forget(folder);
    await rm(path, { recursive: true, force: true });
    await syncFolder(dirname(path));
  }

  async beginCopy(folder: string): Promise<BlobsCopy> {
    const list = (): AsyncGenerator<{ readonly name: string; readonly bytes: number }> => this.walk('.');
    const copy = new FileBlobsCopy(this.root, folder, list, () => this.copies.delete(copy));
    this.copies.add(copy);
    return Promise.resolve(copy);
  }

  async adopt(name: string, path: string): Promise<void> {
    assertBlobName(name);
    if ((await this.stat(name)) !== undefined) return;
    const part = join(this.partsFolder, partFile(name));
    await copyFile(path, part, constants.COPYFILE_FICLONE);
    const file = await open(part, 'r+');
    try {
      await file.sync();
      const { size } = await file.stat();
      await this.sums.write(name, { bytes: size, crc32: await checksum(file, size) });
    } finally {
      await file.close();
    }
    await this.appear(part, name);
  }

  async check(): Promise<void> {
    if (this.closed) throw new Error('the blobs are closed');
    await assertRoom(this.partsFolder, this.reserveBytes());
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all(this.turns.values());
    for (const upload of this.uploads.values()) await upload.close();
  }

  private async open(name: string, totalBytes: number): Promise<Upload> {
    if (this.closed) throw new Error('the blobs are closed');
    const path = join(this.partsFolder, partFile(name));
    const part = await open(path, constants.O_RDWR | constants.O_CREAT);
    try {
      let writtenBytes = (await part.stat()).size;
      if (writtenBytes > totalBytes) {
        await part.truncate(0);
        writtenBytes = 0;
      }
      const reserveBytes = this.reserveBytes();
      if (reserveBytes > 0) await assertRoom(this.partsFolder, totalBytes - writtenBytes + reserveBytes);
      if (writtenBytes > 0) await part.datasync();
      else await syncFolder(this.partsFolder);
      const upload: FileUpload = new FileUpload({
        name,
        totalBytes,
        part,
        writtenBytes,
        crc32: await checksum(part, writtenBytes),
        reserveBytes: this.reserveBytes,
        folder: this.partsFolder,
        appear: async (sum) => {
          await this.appear(path, name);
          await this.sums.write(name, sum);
        },
        discard: () => rm(path, { force: true }),
        ended: () => {
          if (this.uploads.get(name) === upload) this.uploads.delete(name);
        },
      });
      this.uploads.set(name, upload);
      return upload;
    } catch (error) {
      await part.close();
      throw error;
    }
  }

  private async appear(part: string, name: string): Promise<void> {
    const path = join(this.root, name);
    const folder = dirname(path);
    try {
      await makeFolder(folder);
      await rename(part, path);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (!['ENOTDIR', 'EEXIST', 'EISDIR', 'ENOTEMPTY'].includes(code)) throw error;
      const expected = 'a name that is no folder of other blobs, and has none above it';
      throw new StagewatchError('NAME_INVALID', 'blob and folder of one name', { field: 'name', value: name, expected }, error);
    }
    await syncFolder(folder);
  }

  private async finished(name: string, totalBytes: number): Promise<Upload> {
    const file = await this.openComplete(name);
    let sum: number;
    try {
      sum = await checksum(file, totalBytes);
    } finally {
      await file.close();
    }
    const over = (): Promise<never> => Promise.reject(new Error(`${name} is complete`));
    return {
      durableBytes: totalBytes,
      complete: true,
      crc32: sum,
      write: over,
      sync: () => Promise.resolve(totalBytes),
      commit: () => Promise.resolve(),
      close: () => Promise.resolve(),
    };
  }

  private async openComplete(name: string): Promise<FileHandle> {
    try {
      const file = await open(join(this.root, name), 'r');
      if ((await file.stat()).isFile()) return file;
      await file.close();
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    throw new BlobMissing(`there is no blob ${name}`);
  }

  private async *walk(folder: string): AsyncGenerator<{ readonly name: string; readonly bytes: number }> {
    let entries;
    try {
      entries = await readdir(join(this.root, folder), { withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = folder === '.' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) yield* this.walk(name);
      else {
        const found = await this.stat(name);
        if (found !== undefined) yield { name, bytes: found.bytes };
      }
    }
  }

  private async inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.turns.get(name) ?? Promise.resolve();
    const turn = before.then(work);
    const settled = turn.catch(() => undefined);
    this.turns.set(name, settled);
    await settled;
    if (this.turns.get(name) === settled) this.turns.delete(name);
    return turn;
  }
}

function reserveOf({ reserveBytes = 64 * mib, withheldBytes = () => 0 }: FileBlobsOptions): () => number {
  return () => (reserveBytes === 0 ? 0 : reserveBytes + withheldBytes());
}

async function checksum(file: FileHandle, bytes: number): Promise<number> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, Math.max(1, bytes)));
  let sum = 0;
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at);
    if (bytesRead === 0) throw new Error(`a file of ${bytes} bytes ended at ${at}`);
    sum = crc32(buffer.subarray(0, bytesRead), sum);
    at += bytesRead;
  }
  return sum;
}
