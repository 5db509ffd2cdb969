import { constants } from 'node:fs';
import { copyFile, link, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlobsCopy } from '../blobs.js';
import { isMissing, makeFolder } from './disk.js';

type Listed = AsyncIterable<{ readonly name: string; readonly bytes: number }>;

/** A copy under way. Blobs never change, so the only thing that can be missed is one that is deleted: it is taken just before. */
export class FileBlobsCopy implements BlobsCopy {
  private readonly rescued = new Map<string, number>();

  constructor(
    private readonly root: string,
    private readonly folder: string,
    private readonly list: () => Listed,
    private readonly ended: () => void,
  ) {}

  async *finish(): AsyncGenerator<{ readonly name: string; readonly bytes: number }> {
    const given = new Set<string>();
    for await (const { name, bytes } of this.list()) {
      // Rescued while it was on its way: it is told below.
      if (this.rescued.has(name) || !(await this.copy(name))) continue;
      given.add(name);
      yield { name, bytes };
    }
    for (const [name, bytes] of this.rescued) if (!given.has(name)) yield { name, bytes };
  }

  close(): void {
    this.ended();
  }

  /** The blob is about to be deleted. Its file is ours alone from then on, so a second name for it is as good as a copy. */
  async rescue(name: string): Promise<void> {
    const from = join(this.root, name);
    const to = join(this.folder, name);
    try {
      const { size } = await stat(from);
      await makeFolder(dirname(to));
      await link(from, to).catch(async (error: unknown) => {
        const { code } = error as NodeJS.ErrnoException;
        // Another disk, or a file system without second names.
        if (code !== 'EEXIST') await copyFile(from, to, constants.COPYFILE_FICLONE);
      });
      this.rescued.set(name, size);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  private async copy(name: string): Promise<boolean> {
    const to = join(this.folder, name);
    await makeFolder(dirname(to));
    try {
      await copyFile(join(this.root, name), to, constants.COPYFILE_FICLONE);
      return true;
    } catch (error) {
      // Deleted since it was listed, and so rescued before that.
      if (isMissing(error)) return false;
      throw error;
    }
  }
}
