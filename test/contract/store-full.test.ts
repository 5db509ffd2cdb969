import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { StagewatchError } from '#runtime/errors.js';
import { openEmbeddedStore } from '#store/index.js';
import { leftOut } from '../support/needs.js';
import { ask, scalar } from './store-rows.js';

const folder = mkdtempSync(join(tmpdir(), 'stagewatch-store-full-'));
const disk = mount(48);

function mount(mib: number): string | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    leftOut('a full disk under the store', 'the right to mount a tmpfs');
    return undefined;
  }
}

afterAll(() => {
  if (disk !== undefined) execFileSync('umount', [disk]);
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(disk === undefined)('a full disk is said, loses nothing that was acknowledged, and passes', async () => {
  const store = await openEmbeddedStore({ path: join(disk!, 'data') });
  const batch = (n: number) => Array.from({ length: 1000 }, (_, i) => scalar('r', n * 1000 + i, Math.random()));
  await store.write('scalars', batch(0));
  // Everything that is left of the disk, to the last block.
  const ballast = join(disk!, 'ballast');
  try {
    writeFileSync(ballast, Buffer.alloc(64 * 1024 ** 2, 1));
  } catch {
    // That is the point.
  }
  const refused = await store.write('scalars', batch(1)).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(StagewatchError);
  expect((refused as StagewatchError).code).toBe('STORAGE_FULL');
  expect(await ask(store, 'SELECT count() FROM scalars')).toEqual([['1000']]);
  rmSync(ballast);
  await store.write('scalars', batch(1));
  await store.write('scalars', batch(2));
  expect(await ask(store, 'SELECT count() FROM scalars')).toEqual([['3000']]);
  await store.close();
});
