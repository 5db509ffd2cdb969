import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { openEmbeddedStore } from '#store/index.js';
import { ask } from './store-rows.js';

const rounds = 5;
const outDir = join(packageRoot, 'node_modules/.cache/store-child');
let path: string;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'stagewatch-store-crash-'));
  const entry = 'test/contract/store-writer.child.ts';
  const output = { ssr: entry, outDir, emptyOutDir: false, minify: false, target: 'node20' } as const;
  const ssr = { resolve: { conditions: ['source'] } };
  await build({ root: packageRoot, configFile: false, logLevel: 'error', ssr, build: output });
});
afterAll(() => rm(path, { recursive: true, force: true }));

test('after kill -9 at any moment every acknowledged row is there, once', async () => {
  const acknowledged: [rank: number, from: number, to: number][] = [];
  for (let round = 0; round < rounds; round++) {
    const child = spawn(process.execPath, [join(outDir, 'store-writer.child.js'), path, `${round * 1_000_000}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    const lines = createInterface(child.stdout);
    const ended = once(lines, 'close');
    const ready = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        if (line === 'ready') resolve();
        else acknowledged.push(line.split(' ').map(Number) as [number, number, number]);
      });
    });
    await Promise.race([ready, exit]);
    await delay(250 + 170 * round);
    child.kill('SIGKILL');
    await Promise.all([exit, ended]);
  }
  expect(acknowledged.length).toBeGreaterThan(rounds);

  const store = await openEmbeddedStore({ path });
  const rows = await ask(store, 'SELECT rank, sequence, count() FROM scalars GROUP BY rank, sequence');
  expect(rows.filter((row) => Number(row[2]) !== 1)).toEqual([]);
  const stored = new Set(rows.map((row) => `${String(row[0])}.${String(row[1])}`));
  const missing = acknowledged.flatMap(([rank, from, to]) =>
    Array.from({ length: to - from + 1 }, (_, i) => `${rank}.${from + i}`).filter((key) => !stored.has(key)),
  );
  expect(missing).toEqual([]);
  await store.close();
});
