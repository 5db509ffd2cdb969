/**
 * The embedded store: rows in, series out at a million rows, and what it costs that rows written twice are folded at
 * reading time (FINAL) against the raw table, which is the ceiling.
 *
 *     npx tsc -p . && node dist/test/bench/store.js
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { openEmbeddedStore } from '#store/index.js';
import type { ScalarRow } from '#store/rows.js';
import type { Store } from '#store/store.js';

const rowCount = 1_000_000;
const rowsPerWrite = 50;
const repeats = 7;

interface Row {
  readonly what: string;
  readonly unit: string;
  readonly median: number;
}

function row(run: string, step: number, name: string, index: number): ScalarRow {
  const value = Math.sin(step / 1000) + (step % 17) / 100;
  return { run, attempt: 1, rank: 0, sequence: step, index, step, name, value, timeMs: 1.7e12 + step };
}

async function insert(store: Store, run: string): Promise<number> {
  const names = ['loss.train', 'lr', 'accuracy.train', 'gradient.norm'];
  const start = performance.now();
  const pending: Promise<void>[] = [];
  for (let from = 0; from < rowCount; from += rowsPerWrite) {
    const rows = Array.from({ length: rowsPerWrite }, (_, i) => row(run, (from + i) >> 2, names[i & 3]!, i & 3));
    pending.push(store.write('scalars', rows));
    if (pending.length % 1000 === 0) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
  return rowCount / ((performance.now() - start) / 1000);
}

async function oneSeries(store: Store, run: string): Promise<void> {
  for (let from = 0; from < rowCount; from += 50_000) {
    await store.write(
      'scalars',
      Array.from({ length: 50_000 }, (_, i) => row(run, from + i, 'loss.train', 0)),
    );
  }
}

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[repeats >> 1]!;
}

const path = await mkdtemp(join(tmpdir(), 'stagewatch-bench-store-'));
try {
  const store = await openEmbeddedStore({ path });
  const query = async (sql: string): Promise<void> => {
    for await (const part of await store.query({ sql })) void part;
  };
  const where = "WHERE run = 'one' AND name = 'loss.train'";
  const rows: Row[] = [{ what: `rows in, ${rowsPerWrite} a write`, unit: 'rows/s', median: await insert(store, 'many') }];
  await oneSeries(store, 'one');
  const ms = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    rows.push({ what, unit: 'ms', median: await medianMs(work) });
  };
  await ms('series of 1e6 rows, 2 000 points kept', () => store.series({ run: 'one', name: 'loss.train', maxPoints: 2000 }));
  await ms('series of 1e6 rows, 20 000 points kept', () => store.series({ run: 'one', name: 'loss.train' }));
  await ms('2 000 steps of it', () => store.series({ run: 'one', name: 'loss.train', fromStep: 5e5, toStep: 502_000 }));
  await ms('names of all series', () => store.seriesNames('many'));
  await ms('sum over the view (FINAL)', () => query(`SELECT sum(value) FROM scalars ${where}`));
  await ms('sum over the raw table', () => query(`SELECT sum(value) FROM scalars_raw ${where}`));
  await oneSeries(store, 'one');
  await ms('sum over the view, each row written twice', () => query(`SELECT sum(value) FROM scalars ${where}`));
  await store.close();
  console.table(rows.map(({ what, unit, median }) => ({ what, unit, median: Math.round(median * 10) / 10 })));
  const out = join(packageRoot, 'test/bench/out');
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'store.json'), `${JSON.stringify({ node: process.version, repeats, rows }, undefined, 2)}\n`);
} finally {
  await rm(path, { recursive: true, force: true });
}
