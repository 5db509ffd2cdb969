import { mkdirSync } from 'node:fs';
import { open, readdir, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { StagewatchError } from '#runtime/errors.js';
import { syncFolder } from '#runtime/sync.js';
import { BlobMissing } from '../blobs.js';
import { readBytes } from './checksum.js';
import { isMissing, makeFolder } from './disk.js';
import type { Sums } from './sums.js';

/** The folder of what readers may see: whole files, which never change. Names have been checked before. */
export class CompleteBlobs {
  constructor(
    readonly root: string,
    private readonly sums: Sums,
  ) {}

  start(): void {
    mkdirSync(this.root, { recursive: true });
  }

  async stat(name: string): Promise<{ readonly bytes: number } | undefined> {
    try {
      const found = await stat(join(this.root, name));
      return found.isFile() ? { bytes: found.size } : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  async read(name: string, range?: { readonly offset: number; readonly bytes: number }): Promise<Buffer> {
    const file = await this.open(name);
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

  async open(name: string): Promise<FileHandle> {
    try {
      const file = await open(join(this.root, name), 'r');
      if ((await file.stat()).isFile()) return file;
      await file.close();
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    throw new BlobMissing(`there is no blob ${name}`);
  }

  async *list(folder: string): AsyncGenerator<{ readonly name: string; readonly bytes: number }> {
    let entries;
    try {
      entries = await readdir(join(this.root, folder), { withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = folder === '.' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) yield* this.list(name);
      else {
        const found = await this.stat(name);
        if (found !== undefined) yield { name, bytes: found.bytes };
      }
    }
  }

  /** A file that is whole gets its name, for good. */
  async appear(part: string, name: string): Promise<void> {
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

  async remove(name: string): Promise<void> {
    const path = join(this.root, name);
    await this.sums.forget(name);
    try {
      await unlink(path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async removeFolder(folder: string): Promise<void> {
    const path = join(this.root, folder);
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory() !== true) return;
    await this.sums.forget(folder);
    await rm(path, { recursive: true, force: true });
    await syncFolder(dirname(path));
  }
}
