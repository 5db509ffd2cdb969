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
  let store = await openEmbeddedStore({ path });
  try {
    for (const run of ['r-that-goes', 'r-that-stays']) {
      await store.write('runs', [runRow(run, 1)]);
      await store.write('scalars', [scalar(run, 1, 1)]);
      await store.write('findings', [finding(run, 'f', 1, { text: `a word about ${run}` })]);
    }
    expect((await filesWith(path, 'r-that-goes')).length).toBeGreaterThan(2);
    await store.deleteRuns(['r-that-goes']);
    expect(await filesWith(path, 'r-that-goes')).toEqual([]);
    await store.close();
    store = await openEmbeddedStore({ path });
    expect(await filesWith(path, 'r-that-goes')).toEqual([]);
    expect((await store.findings('r-that-stays')).map(({ text }) => text)).toEqual(['a word about r-that-stays']);
    expect((await store.runs({ limit: 10 })).map(({ run }) => run)).toEqual(['r-that-stays']);
  } finally {
    await store.close();
    await rm(path, { recursive: true, force: true });
  }
});

test('embedded - a run is erased under a query that reads it', async () => {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-store-'));
  const store = await openEmbeddedStore({ path });
  try {
    await store.write('scalars', [scalar('r-that-goes', 1, 1), scalar('r-that-stays', 1, 1)]);
    const reading = await store.query({
      sql: "SELECT sleepEachRow(1), run FROM scalars WHERE run = 'r-that-goes' SETTINGS max_block_size = 1, max_threads = 1",
      format: 'CSV',
    });
    const text = reading.toArray() as Promise<Buffer[]>;
    await store.deleteRuns(['r-that-goes']);
    expect(await filesWith(path, 'r-that-goes')).toEqual([]);
    expect(String(Buffer.concat(await text))).toContain('r-that-goes');
  } finally {
    await store.close();
    await rm(path, { recursive: true, force: true });
  }
});

async function filesWith(folder: string, text: string): Promise<string[]> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const names = files.map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(names.map(async (name) => (await readFile(name)).includes(text)));
  return names.filter((_, i) => found[i]);
}
