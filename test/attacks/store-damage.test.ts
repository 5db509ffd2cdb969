/** A store that lost something says so, serves the rest, and is not taken for an empty one. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/index.js';
import type { Store } from '#store/store.js';
import { scalar } from '../contract/store-rows.js';
import { attachBenchRun, scalarRecord } from '../bench/support/load.js';
import { cliPath, eventually, freePorts, launchService, sqlRows, startServiceProcess } from '../support/service-process.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-damage-'));
  path = join(folder, 'clickhouse');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (options: { acceptDataLoss?: boolean } = {}): Promise<Store> => openEmbeddedStore({ path, ...options });
const rows = (from: number, count: number) => Array.from({ length: count }, (_, i) => scalar('r', from + i, i));
const steps = async (store: Store): Promise<number> => (await store.series({ run: 'r', name: 'loss.train' })).steps.length;

/** Two parts of one table, of 5000 rows and of 18. */
async function fill(): Promise<void> {
  const store = await open();
  await store.write('scalars', rows(0, 5000));
  await store.write('scalars', rows(5000, 18));
  expect(await steps(store)).toBe(5018);
  await store.close();
}

function files(pattern: RegExp, below = join(path, 'store')): readonly string[] {
  const all = readdirSync(below, { recursive: true, withFileTypes: true });
  return all
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => pattern.test(file));
}

function largestDataFile(table: string): string {
  const folder = realpathSync(join(path, 'data', 'stagewatch', table));
  return files(/\.bin$/, folder).toSorted((a, b) => statSync(b).size - statSync(a).size)[0]!;
}

/** A part is named after its partition, the numbers of its inserts, and how often it was merged. */
const firstPart = '[0-9a-f]{32}_1_1_\\d';

function doctor(): { readonly status: number | null; readonly text: string } {
  const { status, stdout } = spawnSync(process.execPath, [cliPath, 'doctor', '--data', folder, '--port-http', '0'], {
    encoding: 'utf8',
  });
  return { status, text: stdout };
}

describe('a part whose file was cut off', () => {
  test('is named with its rows, again and again until somebody accepts it; the rest is served', async () => {
    await fill();
    const file = largestDataFile('scalars_raw');
    truncateSync(file, Math.floor(statSync(file).size / 2));
    for (let again = 0; again < 2; again++) {
      const store = await open();
      expect(await steps(store)).toBe(18 + again);
      await expect(store.check()).rejects.toThrow(
        new RegExp(`table scalars_raw: part broken-on-start_${firstPart} with 5000 rows is broken`),
      );
      await store.write('scalars', rows(6000 + again, 1));
      await store.close();
    }
    const told = doctor();
    expect(told.text).toMatch(new RegExp(`NOT OK.*part broken-on-start_${firstPart} with 5000 rows is broken and was set aside`));
    expect(told.status).toBe(1);
    expect(files(/detached\/broken-on-start_/).length).toBeGreaterThan(0);
    const accepted = await open({ acceptDataLoss: true });
    await accepted.check();
    await accepted.close();
    const after = await open();
    await after.check();
    expect(await steps(after)).toBe(20);
    await after.close();
  });

  // The second holds what is counted, and no client writes to it.
  test.each(['scalars_raw', 'scalar_points_raw'])('whose bytes were changed is found by doctor: %s', async (table) => {
    await fill();
    expect(doctor().text).toMatch(/50\d\d rows in \d+ parts are served/);
    const file = largestDataFile(table);
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 0xff;
    writeFileSync(file, bytes);
    expect(doctor().text).toMatch(new RegExp(`NOT OK.*table ${table}: part ${firstPart} does not match its checksums`));
  });
});

test('a part that is gone without a trace is missed', async () => {
  await fill();
  const part = dirname(largestDataFile('scalars_raw'));
  expect(part).toMatch(new RegExp(`${firstPart}$`));
  rmSync(part, { recursive: true });
  const store = await open();
  await expect(store.check()).rejects.toThrow(new RegExp(`table scalars_raw: part ${firstPart} with 5000 rows is gone`));
  expect(await steps(store)).toBe(18);
  await store.close();
});

test('what was merged, erased on purpose, or killed in between is no damage', async () => {
  await fill();
  let store = await open();
  await store.deleteRuns(['r']);
  await store.write('scalars', rows(0, 10));
  await store.close();
  store = await open();
  await store.check();
  expect(await steps(store)).toBe(10);
  await store.close();
});

test('a folder that has vanished is not an empty one', async () => {
  await fill();
  rmSync(path, { recursive: true });
  await expect(open()).rejects.toThrow(/is gone, and it held 50\d\d rows.*--accept-data-loss/);
  const store = await open({ acceptDataLoss: true });
  await store.check();
  await store.close();
});

test('the service says what is wrong instead of that it is ready, and does not start on a vanished store', async () => {
  const ports = await freePorts();
  let service = await startServiceProcess({ dataDir: folder, ports });
  const run = await attachBenchRun(service.address, 'damage');
  const stream = run.client.streamRecords();
  stream.on('data', () => undefined);
  stream.on('error', () => undefined);
  stream.write({ hello: { runId: run.attached.runId, attempt: run.attached.attempt, rank: 0, instanceId: run.instance } });
  for (let i = 1; i <= 20; i++) stream.write({ serialized: [scalarRecord(i, i, 100)] });
  const count = 'SELECT count() AS n FROM scalars';
  await eventually(
    () => sqlRows<{ n: string }>(service, count),
    (answer) => Number(answer[0]?.n) >= 2000,
  );
  run.client.close();
  await service.stop();
  const file = files(/\.bin$/).toSorted((a, b) => statSync(b).size - statSync(a).size)[0]!;
  truncateSync(file, 1);
  service = await startServiceProcess({ dataDir: folder, ports });
  const ready = await fetch(`${service.url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.text()).toMatch(/the store is damaged: table \w+: part \S+ with \d+ rows is broken/);
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
  await service.stop();
  // A store of a time before it noted what it holds; the bus remembers.
  rmSync(path, { recursive: true });
  rmSync(`${path}-ledger.json`);
  const launched = launchService({ dataDir: folder, ports });
  expect(await launched.exited).toBe(1);
  expect(launched.log()).toMatch(/the database in \S+ is gone.*--accept-data-loss/);
});
