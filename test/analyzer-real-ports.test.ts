import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAnalyzer, type Analyzer } from '#analyzer/index.js';
import { FakeMeasurer } from '#analyzer/testing/fake-measurer.js';
import { RunLog } from '#analyzer/testing/run-log.js';
import { edgeStory } from '#analyzer/testing/story.js';
import type { Blobs } from '#blobs/blobs.js';
import { openFileBlobs } from '#blobs/index.js';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { waitingBucket } from '#bus/messages.js';
import { newId } from '#runtime/ids.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { openEmbeddedStore } from '#store/index.js';
import type { Store } from '#store/store.js';

let folder: string;
let bus: Bus;
let blobs: Blobs;
let store: Store;
let analyzer: Analyzer;
const metrics = new Metrics();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-analyzer-'));
  const logger = createLogger({ level: 'warn' });
  bus = await openLmdbBus({ path: join(folder, 'bus') });
  blobs = await openFileBlobs({ path: join(folder, 'blobs'), reserveBytes: 0 });
  store = await openEmbeddedStore({ path: join(folder, 'clickhouse'), logger, metrics });
  const config = {
    dataDir: folder,
    keepDays: 0,
    measuring: { processes: 1, deadlineMs: 60_000 },
    engine: { memoryBytes: 1, threads: 1 },
  };
  analyzer = createAnalyzer({ config, bus, blobs, store, logger, metrics, measurer: new FakeMeasurer() });
  await analyzer.start();
});
afterAll(async () => {
  await analyzer.close();
  await store.close();
  await blobs.close();
  await bus.close();
  rmSync(folder, { recursive: true, force: true });
});

async function settled(): Promise<void> {
  for (const name of ['ledger', 'judge']) {
    const group = await bus.group('records', name);
    while ((await group.depth()).messages > 0 || (await isMeasuring())) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function isMeasuring(): Promise<boolean> {
  for await (const _ of bus.kv(waitingBucket).entries()) return true;
  return false;
}

describe('analyzer - on LMDB, files and chDB', () => {
  it('brings a run to the tables that the page and Grafana read', async () => {
    const run = newId('r');
    const log = await edgeStory(new RunLog(run, blobs));
    log.record(201, 1, 0, { scalars: { names: ['odd'], nameIndex: [0, 0], steps: [200, 201], values: [Number.NaN, -Infinity] } });
    await log.publish(bus);
    await settled();

    expect(await store.run(run)).toMatchObject({ stage: 'edge', stageDetail: 'at_edge', status: 'finished', step: 201 });
    const findings = await store.findings(run);
    expect(findings.filter(({ kind }) => kind === 'stage').map(({ from, to, step, onset }) => [from, to, step, onset])).toEqual([
      ['unknown', 'transient', 0, 0],
      ['transient', 'saturation', 10, 10],
      ['saturation', 'sharpening', 55, 10],
      ['sharpening', 'edge', 165, 165],
    ]);
    expect(findings.at(-1)!.text).toBe('step 165: reached the edge of stability, λ1 = 0.99 × 2/η');
    expect((await store.series({ run, name: 'sharpness' })).steps).toHaveLength(57);
    expect((await store.series({ run, name: 'odd' })).values).toEqual([Number.NaN, Number.NEGATIVE_INFINITY]);
    expect((await store.instruments(run, 1)).every(({ on }) => on)).toBe(true);

    await bus.kv('deletions').put(run, new Uint8Array());
    while ((await bus.kv('deletions').get(run)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await store.run(run)).toBeUndefined();
    expect(await store.findings(run)).toEqual([]);
    expect(await store.seriesNames(run)).toEqual([]);
  });
});
