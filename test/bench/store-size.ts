/**
 * The store at 10⁸ rows of 1000 runs and a list of 100,000: what page and Grafana ask, rows in, and runs out with what
 * ingest notices of it; in tables as they were before (one partition, a mutation a run) and as they are.
 *
 *     npx tsc -p . && node dist/test/bench/store-size.js [rows] [before|after|both]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { divergence, lines } from '../../grafana/src/sql.js';
import { readRuns } from '#store/read/runs.js';
import { readSeries } from '#store/read/series.js';
import { insertBatch } from '#store/insert-batch.js';
import { expandGrafana } from '../grafana-macros.js';
import { fillRuns, fillScalars, makeRuns, runCount, untilMerged } from './store-size/fill.js';
import { openShape, type Shape } from './store-size/shapes.js';
import { quantile, report, type BenchRow } from './support/report.js';

const rowCount = Number(process.argv[2] ?? 1e8);
const wanted = process.argv[3] ?? 'both';
const listed = 100_000;
const repeats = 5;
/** Of the runs that go one after the other so many are timed; the others take as long. */
const timedOneByOne = 2;
const insertEveryMs = 200;

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return quantile(times, 0.5);
}

/** Small inserts, as the ledger makes them, until they are stopped; answers what each took. */
function insertBeside(shape: Shape, run: string): { stop(): Promise<readonly number[]> } {
  const took: number[] = [];
  let stopped = false;
  let sequence = 0;
  const loop = (async () => {
    while (!stopped) {
      const began = performance.now();
      const lines = Array.from(
        { length: 100 },
        () => `["${run}","loss.train",2,${++sequence},0,${sequence},0,0.5,"2026-11-21 00:00:00.000"]`,
      );
      const outcome = await insertBatch(shape.writer, {
        table: 'scalars',
        rows: 100,
        body: lines.join('\n'),
        token: `t${sequence}`,
      });
      if (outcome.kind !== 'success') throw outcome.error;
      took.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, insertEveryMs - (performance.now() - began))));
    }
  })();
  // Whoever stops it gets the error.
  loop.catch(() => undefined);
  return {
    stop: async () => {
      stopped = true;
      await loop;
      return took;
    },
  };
}

async function eraseSeconds(shape: Shape, runs: readonly string[]): Promise<number> {
  const timed = runs.slice(0, shape.eraseAtOnce === 1 ? timedOneByOne : runs.length);
  const began = performance.now();
  for (let from = 0; from < timed.length; from += shape.eraseAtOnce)
    await shape.erase(timed.slice(from, from + shape.eraseAtOnce));
  return ((performance.now() - began) / 1000) * (runs.length / timed.length);
}

async function measure(kind: 'before' | 'after'): Promise<readonly BenchRow[]> {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-bench-size-'));
  const shape = await openShape(kind, path);
  const rows: BenchRow[] = [];
  const add = (what: string, unit: string, value: number): void => {
    rows.push({ what: `${kind}: ${what}`, unit, value });
    console.log(`${kind}: ${what}: ${value.toPrecision(4)} ${unit}`);
  };
  try {
    const runs = makeRuns(Date.now());
    const id = (i: number): string => runs[i]!.run;
    await fillRuns(shape.writer, runs, listed - runCount);
    add('rows in', 'rows/s', await fillScalars(shape.writer, runs, rowCount));
    await untilMerged(shape.writer);
    const { reader } = shape;
    add(
      'one series, 2000 points kept',
      'ms',
      await medianMs(() => readSeries(reader, { run: id(500), name: 'loss.train', maxPoints: 2000 })),
    );
    add('names of a run', 'ms', await medianMs(() => shape.names(id(501))));
    const beganMs = runs[502]!.beganMs;
    const grafana = (sql: string, fromMs: number, toMs: number): Promise<unknown> =>
      reader.rows(expandGrafana(sql, { fromMs, toMs, intervalMs: 10_000, variables: { run: [id(502)] } }));
    add(
      'a panel of Grafana, ten minutes of a run',
      'ms',
      await medianMs(() => grafana(lines(['loss.train']), beganMs, beganMs + 600_000)),
    );
    add('the alert query of Grafana', 'ms', await medianMs(() => grafana(divergence, Date.now() - 900_000, Date.now())));
    add(`list of runs, newest 200 of ${listed}`, 'ms', await medianMs(() => readRuns(reader, { limit: 200 })));
    await erasures(shape, runs, add);
    return rows;
  } finally {
    await shape.close();
    await rm(path, { recursive: true, force: true });
  }
}

async function erasures(
  shape: Shape,
  runs: ReturnType<typeof makeRuns>,
  add: (what: string, unit: string, value: number) => void,
): Promise<void> {
  const live = runs.at(-1)!.run;
  const quiet = insertBeside(shape, live);
  await new Promise((resolve) => setTimeout(resolve, 20 * insertEveryMs));
  add('an insert, p99, while nothing goes', 'ms', quantile(await quiet.stop(), 0.99));
  add('one run goes', 's', await eraseSeconds(shape, [runs[400]!.run]));
  const beside = insertBeside(shape, live);
  add(
    'the 250 oldest runs go (keep-days)',
    's',
    await eraseSeconds(
      shape,
      runs.slice(0, 250).map(({ run }) => run),
    ),
  );
  const spread = runs
    .slice(250, -1)
    .filter((_, i) => i % 3 !== 0)
    .slice(0, 490)
    .map(({ run }) => run);
  add(`${spread.length} runs from everywhere go`, 's', await eraseSeconds(shape, spread));
  add('an insert, p99, while runs go', 'ms', quantile(await beside.stop(), 0.99));
}

const kinds = (['before', 'after'] as const).filter((kind) => wanted === 'both' || wanted === kind);
const rows: BenchRow[] = [];
for (const kind of kinds) rows.push(...(await measure(kind)));
report('store-size', rows);
process.exit(0);
