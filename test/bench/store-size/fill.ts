import type { ClickHouseClient } from '#store/clickhouse-client.js';
import { quoteAll } from '#store/quote.js';
import { newId } from '#runtime/ids.js';

export const runCount = 1000;
const dayMs = 24 * 3600 * 1000;
const runsAtOnce = 10;
const names = ['loss.train', 'lr', 'gradient.norm', 'accuracy.train', 'loss.val'];
const msPerStep = 500;

/** Runs that began over the last thirty days, the oldest first. */
export function makeRuns(nowMs: number): readonly { readonly run: string; readonly beganMs: number }[] {
  return Array.from({ length: runCount }, (_, i) => {
    const beganMs = Math.floor(nowMs - 30 * dayMs * (1 - i / runCount));
    return { run: newId('r', beganMs), beganMs };
  });
}

/** Numbers as five metrics log them, 20 points a record, written by the database itself; answers rows a second. */
export async function fillScalars(client: ClickHouseClient, runs: ReturnType<typeof makeRuns>, rows: number): Promise<number> {
  const perRun = Math.floor(rows / runs.length);
  const began = performance.now();
  for (let from = 0; from < runs.length; from += runsAtOnce) {
    const part = runs.slice(from, from + runsAtOnce);
    await client.command({
      query: `INSERT INTO scalars_raw (run, name, attempt, step, rank, sequence, place, value, time)
        WITH intDiv(number, {perRun:UInt64}) + 1 AS at, number % {perRun:UInt64} AS point
        SELECT {runs:Array(String)}[at], {names:Array(String)}[1 + point % 5], 1, intDiv(point, 5) AS step, 0,
          1 + intDiv(point, 20), point % 20, sin(point / 5000) + rand() / 4294967296,
          fromUnixTimestamp64Milli({began:Array(Int64)}[at] + toInt64(step * ${msPerStep}), 'UTC')
        FROM numbers({count:UInt64})`,
      query_params: {
        runs: part.map(({ run }) => run),
        began: part.map(({ beganMs }) => beganMs),
        names,
        perRun,
        count: perRun * part.length,
      },
    });
  }
  return rows / ((performance.now() - began) / 1000);
}

/** A finished run each, and as many more as make a long list. */
export async function fillRuns(client: ClickHouseClient, runs: ReturnType<typeof makeRuns>, more: number): Promise<void> {
  const columns = 'run, name, project, framework, attempt, status, stage, step, created, seen, optimizer, loss, tags, version';
  const rest = `'p', 'bench', 1, 'finished', 'edge', 1000, began, began, '{"name":"sgd"}', '{}', '{"a":"b"}', 1`;
  await client.command({
    query: `INSERT INTO runs_raw (${columns}) WITH fromUnixTimestamp64Milli([${runs.map(({ beganMs }) => beganMs).join(', ')}][number + 1], 'UTC') AS began
      SELECT [${quoteAll(runs.map(({ run }) => run))}][number + 1], concat('run ', toString(number)), ${rest} FROM numbers({count:UInt64})`,
    query_params: { count: runs.length },
  });
  await client.command({
    query: `INSERT INTO runs_raw (${columns})
      WITH fromUnixTimestamp64Milli(toInt64(1500000000000 + number * 1000), 'UTC') AS began
      SELECT concat('r00000more', leftPad(toString(number), 17, '0')), concat('older ', toString(number)), ${rest}
      FROM numbers({more:UInt64})`,
    query_params: { more },
  });
}

/** Merges go on after an insert has returned; figures of reading mean what is there when they have ended. */
export async function untilMerged(client: ClickHouseClient): Promise<void> {
  const deadlineMs = Date.now() + 120_000;
  while (Date.now() < deadlineMs) {
    const result = await client.query({ query: 'SELECT count() FROM system.merges', format: 'JSONCompactEachRow' });
    if (Number((await result.json<[string]>())[0]?.[0]) === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
