import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Blobs } from '../blobs.js';
import { Sums } from './sums.js';

export interface BlobsReport {
  readonly blobs: number;
  readonly bytes: number;
  /** Of these nothing is known to compare with. */
  readonly unknown: number;
  /** One sentence for each blob that is not what it was. */
  readonly damage: readonly string[];
}

const artifact = /^artifacts\/([0-9a-f]{64})$/;

/** Compares every blob with what it should add up to: an artifact with its name, the others with their checksum. */
export async function checkBlobs(path: string, blobs: Pick<Blobs, 'list'>): Promise<BlobsReport> {
  const sums = new Sums(join(path, 'sums'));
  const damage: string[] = [];
  const totals = { blobs: 0, bytes: 0, unknown: 0 };
  for (const prefix of ['artifacts/', 'runs/']) {
    for await (const { name, bytes } of blobs.list(prefix)) {
      totals.blobs++;
      totals.bytes += bytes;
      const sum = await sums.read(name);
      const digest = artifact.exec(name)?.[1];
      if (sum === undefined && digest === undefined) {
        totals.unknown++;
        continue;
      }
      const found = await read(join(path, 'complete', name));
      if (sum !== undefined && sum.bytes !== found.bytes)
        damage.push(`blob ${name} has ${found.bytes} bytes instead of ${sum.bytes}`);
      else if (sum !== undefined && sum.crc32 !== found.crc32) damage.push(`blob ${name} differs from its checksum`);
      else if (digest !== undefined && digest !== found.sha256)
        damage.push(`blob ${name} differs from the digest that it is named by`);
    }
  }
  return { ...totals, damage };
}

async function read(path: string): Promise<{ readonly bytes: number; readonly crc32: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let sum = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 }) as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sum = crc32(chunk, sum);
    bytes += chunk.length;
  }
  return { bytes, crc32: sum, sha256: hash.digest('hex') };
}
