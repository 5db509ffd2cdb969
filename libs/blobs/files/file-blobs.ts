import { constants, mkdirSync } from 'node:fs';
import { copyFile, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '#runtime/sync.js';
import type { Blobs, BlobsCopy, Upload } from '../blobs.js';
import { FileBlobsCopy } from './blobs-copy.js';
import { checksum } from './checksum.js';
import { CompleteBlobs } from './complete-blobs.js';
import { assertRoom, translate } from './disk.js';
import { FileUpload } from './file-upload.js';
import { Sums } from './sums.js';
import { assertBlobName, assertBlobPrefix, nameOfPart, partFile } from './names.js';

const mib = 1024 * 1024;
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
  private readonly complete: CompleteBlobs;
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
    this.partsFolder = join(path, 'parts');
    this.sums = new Sums(join(path, 'sums'));
    this.complete = new CompleteBlobs(join(path, 'complete'), this.sums);
  }

  async start(): Promise<void> {
    this.complete.start();
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

  path(name: string): string {
    assertBlobName(name);
    return join(this.complete.root, name);
  }

  async stat(name: string): Promise<{ readonly bytes: number } | undefined> {
    assertBlobName(name);
    return this.complete.stat(name);
  }

  async read(name: string, range?: { readonly offset: number; readonly bytes: number }): Promise<Buffer> {
    assertBlobName(name);
    return this.complete.read(name, range);
  }

  async *list(prefix: string): AsyncGenerator<{ readonly name: string; readonly bytes: number }> {
    yield* this.complete.list(assertBlobPrefix(prefix));
  }

  async delete(name: string): Promise<void> {
    assertBlobName(name);
    await this.inTurn(name, async () => {
      await this.uploads.get(name)?.supersede();
      await rm(join(this.partsFolder, partFile(name)), { force: true });
      for (const copy of this.copies) await copy.rescue(name);
      await this.complete.remove(name);
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
    for (const copy of this.copies) for await (const { name } of this.complete.list(folder)) await copy.rescue(name);
    await this.complete.removeFolder(folder);
  }

  async beginCopy(folder: string): Promise<BlobsCopy> {
    const list = (): AsyncGenerator<{ readonly name: string; readonly bytes: number }> => this.complete.list('.');
    const copy = new FileBlobsCopy(this.complete.root, folder, list, () => this.copies.delete(copy));
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
    await this.complete.appear(part, name);
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
          await this.complete.appear(path, name);
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

  private async finished(name: string, totalBytes: number): Promise<Upload> {
    const file = await this.complete.open(name);
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
