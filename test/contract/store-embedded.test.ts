import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/index.js';
import { storeContract } from './store-contract.js';
import { finding, runRow, scalar } from './store-rows.js';

storeContract({
  name: 'embedded',
  create: async () => {
    const path = await mkdtemp(join(tmpdir(), 'stagewatch-store-'));
    return {
      open: () => openEmbeddedStore({ path }),
      destroy: () => rm(path, { recursive: true, force: true }),
    };
  },
});

test('embedded - a deleted run is gone from the disk, and the other runs are not', async () => {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-store-'));
  const filesWith = async (text: string): Promise<string[]> => {
    const files = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const names = files.map((entry) => join(entry.parentPath, entry.name));
    const found = await Promise.all(names.map(async (name) => (await readFile(name)).includes(text)));
    return names.filter((_, i) => found[i]);
  };
  let store = await openEmbeddedStore({ path });
  try {
    for (const run of ['r-that-goes', 'r-that-stays']) {
      await store.write('runs', [runRow(run, 1)]);
      await store.write('scalars', [scalar(run, 1, 1)]);
      await store.write('findings', [finding(run, 'f', 1, { text: `a word about ${run}` })]);
    }
    expect((await filesWith('r-that-goes')).length).toBeGreaterThan(2);
    await store.deleteRun('r-that-goes');
    expect(await filesWith('r-that-goes')).toEqual([]);
    await store.close();
    store = await openEmbeddedStore({ path });
    expect(await filesWith('r-that-goes')).toEqual([]);
    expect((await store.findings('r-that-stays')).map(({ text }) => text)).toEqual(['a word about r-that-stays']);
    expect((await store.runs({ limit: 10 })).map(({ run }) => run)).toEqual(['r-that-stays']);
  } finally {
    await store.close();
    await rm(path, { recursive: true, force: true });
  }
});
