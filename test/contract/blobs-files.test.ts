import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { StorageFull } from '#blobs/blobs.js';
import { openFileBlobs } from '#blobs/index.js';
import { leftOut } from '../support/needs.js';
import { blobsContract } from './blobs-contract.js';

const mib = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'stagewatch-blobs-'));
const mounts: string[] = [];

afterAll(() => {
  for (const path of mounts) execFileSync('umount', [path]);
  rmSync(folder, { recursive: true, force: true });
});

blobsContract({
  name: 'files',
  create: async () => {
    const path = await mkdtemp(join(tmpdir(), 'stagewatch-blobs-'));
    return {
      open: () => openFileBlobs({ path }),
      leave: (blobs) => blobs.close(),
      destroy: () => rm(path, { recursive: true, force: true }),
    };
  },
});

function smallDisk(sizeMib: number): string | undefined {
  const path = mkdtempSync(join(folder, 'disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    leftOut('a full disk under the blobs', 'the right to mount a tmpfs');
    return undefined;
  }
  mounts.push(path);
  return path;
}

test('a disk that becomes full refuses the rest, keeps what it has, and the upload goes on when there is space', async ({
  skip,
}) => {
  const disk = smallDisk(24);
  if (disk === undefined) {
    skip('a tmpfs cannot be mounted here');
    return;
  }
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(16 * mib));
  const blobs = await openFileBlobs({ path: join(disk, 'blobs'), reserveBytes: 0 });
  const data = Buffer.alloc(16 * mib, 9);
  const upload = await blobs.upload('runs/r1/x', data.length);
  let refused: unknown;
  for (let at = 0; at < data.length && refused === undefined; at += mib) {
    await upload.write(at, data.subarray(at, at + mib)).catch((error: unknown) => (refused = error));
  }
  expect(refused).toBeInstanceOf(StorageFull);
  await expect(upload.write(0, data)).rejects.toBeInstanceOf(StorageFull);
  await expect(upload.commit(crc32(data))).rejects.toBeInstanceOf(StorageFull);
  await upload.close();
  expect(await blobs.stat('runs/r1/x')).toBeUndefined();
  rmSync(ballast);
  const again = await blobs.upload('runs/r1/x', data.length);
  expect(again.durableBytes).toBeGreaterThanOrEqual(4 * mib);
  expect(again.durableBytes % mib).toBe(0);
  await again.write(again.durableBytes, data.subarray(again.durableBytes));
  await again.commit(crc32(data));
  expect(Buffer.compare(await blobs.read('runs/r1/x'), data)).toBe(0);
  await blobs.close();
});

test('what would eat the reserve is refused before a byte is taken', async ({ skip }) => {
  const disk = smallDisk(24);
  if (disk === undefined) {
    skip('a tmpfs cannot be mounted here');
    return;
  }
  const blobs = await openFileBlobs({ path: join(disk, 'blobs'), reserveBytes: 16 * mib });
  await blobs.check();
  await expect(blobs.upload('runs/r1/x', 12 * mib)).rejects.toBeInstanceOf(StorageFull);
  await (await blobs.upload('runs/r1/y', 2 * mib)).close();
  writeFileSync(join(disk, 'ballast'), Buffer.alloc(10 * mib));
  await expect(blobs.check()).rejects.toBeInstanceOf(StorageFull);
  await blobs.close();
});

test('parts that nobody took up for a day are swept at the start, others stay', async () => {
  const path = join(folder, 'sweep');
  let blobs = await openFileBlobs({ path });
  for (const name of ['runs/r1/old', 'runs/r1/new']) {
    const upload = await blobs.upload(name, 100);
    await upload.write(0, Buffer.alloc(50));
    await upload.close();
  }
  await blobs.close();
  const parts = join(path, 'parts');
  const old = readdirSync(parts).find((file) => file.includes('old'))!;
  const yesterday = Date.now() / 1000 - 25 * 60 * 60;
  utimesSync(join(parts, old), yesterday, yesterday);
  blobs = await openFileBlobs({ path });
  expect((await blobs.upload('runs/r1/old', 100)).durableBytes).toBe(0);
  expect((await blobs.upload('runs/r1/new', 100)).durableBytes).toBe(50);
  await blobs.close();
});

test('a blob and a folder cannot have one name', async () => {
  const blobs = await openFileBlobs({ path: join(folder, 'names') });
  const store = async (name: string): Promise<void> => {
    const upload = await blobs.upload(name, 1);
    await upload.write(0, Buffer.from('x'));
    await upload.commit(crc32('x'));
  };
  await store('runs/r1/a');
  await expect(store('runs/r1/a/b')).rejects.toMatchObject({ code: 'NAME_INVALID' });
  await expect(store('runs/r1')).rejects.toMatchObject({ code: 'NAME_INVALID' });
  expect((await blobs.read('runs/r1/a')).toString()).toBe('x');
  await blobs.close();
});
