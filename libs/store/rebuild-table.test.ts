import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ClickHouseClient, Reader } from './clickhouse-client.js';
import { migrate, type MigrationClient } from './migrate.js';
import { migrations } from './migrations/index.js';
import type { CopyProgress } from './rebuild-table.js';
import { openEmptyDatabase, type EmptyDatabase } from './testing/empty-database.js';

const runs = 30;
const rowsPerRun = 100_000;

let database: EmptyDatabase;
let client: ClickHouseClient;
let reader: Reader;
let migrating: MigrationClient;
beforeEach(async () => {
  database = await openEmptyDatabase();
  ({ client, reader, migrationClient: migrating } = database);
  await migrate(migrating, migrations.slice(0, 2));
  // Every fourth row is there twice, as after a crash; and one run's name would end a quoted text.
  for (const part of ['1', 'number % 4 = 0']) {
    await client.command({
      query: `INSERT INTO scalars_raw (run, name, attempt, step, rank, sequence, place, value, time)
        SELECT concat('r01m', toString(10 + intDiv(number, ${rowsPerRun})), if(number < ${rowsPerRun}, '\\\\\\'', 'x')),
          ['loss.train', 'lr'][1 + number % 2], 1, number, 0, number, 0, if(number % 1000 = 0, nan, number / 7),
          fromUnixTimestamp64Milli(toInt64(1796000000000 + number), 'UTC')
        FROM numbers(${runs * rowsPerRun}) WHERE ${part}`,
    });
  }
  await client.command({
    query: `INSERT INTO findings_raw (run, id, text, kind, time) SELECT concat('r', toString(number)), 'f', 'found', 'stage', now64(3) FROM numbers(50)`,
  });
});
afterEach(() => database.close());

const digest = `SELECT count(), sum(cityHash64(run, name, attempt, step, rank, sequence, place, toString(value), time)) FROM scalars`;
const sizes = `SELECT name, sum(size) FROM
  (SELECT name, groupBitmapMerge(points) AS size FROM scalar_points_raw GROUP BY run, name, attempt, rank, block) GROUP BY name ORDER BY name`;

test('a filled folder of the old shape has the same rows in the new one, and says how far it is', async () => {
  const before = await reader.rows(digest);
  const told: CopyProgress[] = [];
  expect(await migrate(migrating, migrations, { progress: (copied) => told.push(copied) })).toEqual([3, 4]);
  expect(await reader.rows(digest)).toEqual(before);
  expect(await reader.rows('SELECT count() FROM findings')).toEqual([[50]]);
  expect(await reader.rows(sizes)).toEqual(['loss.train', 'lr'].map((name) => [name, (runs * rowsPerRun) / 2]));
  const scalars = told.filter(({ table }) => table === 'scalars_raw');
  expect(scalars.length).toBeGreaterThan(1);
  expect(scalars.at(-1)!.rows).toBe(scalars.at(-1)!.ofRows);
  const tables = await reader.rows(
    "SELECT name FROM system.tables WHERE database = 'stagewatch' AND name NOT LIKE '%raw' ORDER BY name",
  );
  expect(tables.flat()).toEqual([
    'findings',
    'instruments',
    'migrations',
    'readings',
    'runs',
    'scalar_points_feed',
    'scalars',
    'series',
    'stages',
  ]);
});

test('broken off after any of its statements it goes on where it was, and ends the same', { timeout: 300_000 }, async () => {
  const before = await reader.rows(digest);
  const copied: number[] = [];
  let allowed = 0;
  const breaking: MigrationClient = {
    ...migrating,
    command: async (query) => {
      if (allowed-- <= 0) throw new Error('broken off');
      await migrating.command(query);
      if (query.startsWith('INSERT INTO scalars_raw_next')) copied.push(1);
    },
  };
  let tries = 0;
  const failures: string[] = [];
  for (let done = false; !done; tries++) {
    // Each try gets further than to repeat what the one before had begun.
    allowed = 3 + tries;
    done = await migrate(breaking, migrations).then(
      () => true,
      (error: unknown) => failures.push(String(error)) < 0,
    );
  }
  expect(new Set(failures)).toEqual(new Set(['Error: broken off']));
  expect(tries).toBeGreaterThan(5);
  expect(copied.length).toBeLessThanOrEqual(5);
  expect(await reader.rows(digest)).toEqual(before);
  expect(await reader.rows(sizes)).toEqual(['loss.train', 'lr'].map((name) => [name, (runs * rowsPerRun) / 2]));
});
