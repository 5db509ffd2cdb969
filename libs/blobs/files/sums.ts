import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Length and CRC-32 of a blob, as it was when it became complete. */
export interface Sum {
  readonly bytes: number;
  readonly crc32: number;
}

const pattern = /^(\d+) ([0-9a-f]{8})\n$/;

/**
 * What blobs should add up to, in files of their own beside them. They are not synced: after a power failure one may be
 * missing or cut, and then nothing is known of its blob.
 */
export class Sums {
  constructor(private readonly root: string) {}

  async write(name: string, { bytes, crc32 }: Sum): Promise<void> {
    const path = join(this.root, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${bytes} ${(crc32 >>> 0).toString(16).padStart(8, '0')}\n`);
  }

  async read(name: string): Promise<Sum | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.root, name), 'latin1');
    } catch {
      return undefined;
    }
    const [, bytes, crc32] = pattern.exec(text) ?? [];
    return bytes === undefined ? undefined : { bytes: Number(bytes), crc32: Number.parseInt(crc32!, 16) };
  }

  /** Of one blob, or of all below a folder. */
  async forget(name: string): Promise<void> {
    await rm(join(this.root, name), { recursive: true, force: true });
  }
}
