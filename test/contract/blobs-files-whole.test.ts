import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Blobs } from '#blobs/blobs.js';
import { checkBlobs, openFileBlobs } from '#blobs/index.js';

let folder: string;
let path: string;
let blobs: Blobs;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-whole-'));
  path = join(folder, 'blobs');
  blobs = await openFileBlobs({ path });
});
afterEach(async () => {
  await blobs.close();
  rmSync(folder, { recursive: true, force: true });
});

async function put(name: string, data: Buffer): Promise<void> {
  const upload = await blobs.upload(name, data.length);
  await upload.write(0, data);
  await upload.commit(crc32(data));
}

test('a blob whose bytes have changed is named when it is read, and by the check', async () => {
  const data = Buffer.alloc(100_000, 7);
  const digest = createHash('sha256').update(data).digest('hex');
  const names = ['runs/r1/1.0/snapshots/a', 'runs/r1/1.0/snapshots/b', `artifacts/${digest}`];
  for (const name of names) await put(name, data);
  expect(await checkBlobs(path, blobs)).toEqual({ blobs: 3, bytes: 300_000, unknown: 0, damage: [] });
  const changed = Buffer.from(data);
  changed[50_000] = 8;
  writeFileSync(join(path, 'complete', names[0]!), changed);
  writeFileSync(join(path, 'complete', names[1]!), data.subarray(0, 500));
  writeFileSync(join(path, 'complete', names[2]!), changed);
  for (const name of names) {
    await expect(blobs.read(name)).rejects.toMatchObject({ code: 'DATA_DAMAGED', message: expect.stringContaining(name) });
  }
  const { damage } = await checkBlobs(path, blobs);
  expect(damage).toHaveLength(3);
  for (const name of names) expect(damage.filter((sentence) => sentence.includes(name))).toHaveLength(1);
  // A checksum that was cut by a power failure says nothing.
  writeFileSync(join(path, 'sums', names[0]!), '');
  expect((await blobs.read(names[0]!)).length).toBe(data.length);
  expect((await checkBlobs(path, blobs)).unknown).toBe(1);
  await blobs.deletePrefix('runs/r1/');
  await put(names[0]!, changed);
  expect(await blobs.read(names[0]!)).toEqual(changed);
});

test('a copy holds what was there when it began, deleted meanwhile or not', async () => {
  const bytes = (n: number): Buffer => Buffer.alloc(1000, n);
  for (let n = 0; n < 10; n++) await put(`runs/r${n % 3}/1.0/snapshots/${n}`, bytes(n));
  const to = join(folder, 'copy');
  const copy = await blobs.beginCopy(to);
  await blobs.delete('runs/r1/1.0/snapshots/1');
  const copied: string[] = [];
  for await (const { name } of copy.finish()) {
    if (copied.length === 0) {
      await blobs.deletePrefix('runs/r2/');
      await put('runs/r0/1.0/snapshots/new', bytes(99));
    }
    copied.push(name);
  }
  copy.close();
  for (let n = 0; n < 10; n++) {
    expect(copied.filter((name) => name === `runs/r${n % 3}/1.0/snapshots/${n}`)).toHaveLength(1);
    expect(readFileSync(join(to, `runs/r${n % 3}/1.0/snapshots/${n}`))).toEqual(bytes(n));
  }
  expect(await blobs.stat('runs/r2/1.0/snapshots/2')).toBeUndefined();
  // Nothing is kept any more once the copy has ended.
  await blobs.delete('runs/r0/1.0/snapshots/0');
  const other = await openFileBlobs({ path: join(folder, 'other') });
  await other.adopt('runs/r0/1.0/snapshots/0', join(to, 'runs/r0/1.0/snapshots/0'));
  expect(await other.read('runs/r0/1.0/snapshots/0')).toEqual(bytes(0));
  await other.close();
});
