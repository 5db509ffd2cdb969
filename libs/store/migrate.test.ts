import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClickHouseClient, Reader } from './clickhouse-client.js';
import { insertBatch } from './insert-batch.js';
import { migrate, type MigrationClient } from './migrate.js';
import { migrations } from './migrations/index.js';
import type { Migration } from './migrations/migration.js';
import { openEmptyDatabase, type EmptyDatabase } from './testing/empty-database.js';

let database: EmptyDatabase;
let client: ClickHouseClient;
let reader: Reader;
let migrationClient: MigrationClient;
beforeAll(async () => {
  database = await openEmptyDatabase();
  ({ client, reader, migrationClient } = database);
});
afterAll(() => database.close());

const later: Migration = {
  number: migrations.length + 1,
  name: 'later',
  statements: ['CREATE TABLE IF NOT EXISTS later (x UInt8) ENGINE = Memory'],
};

test('migrations are numbered without gaps', () => {
  expect(migrations.map((m) => m.number)).toEqual(migrations.map((_, i) => i + 1));
});

test('each is applied once, and recorded', async () => {
  expect(await migrate(migrationClient, migrations)).toEqual(migrations.map((m) => m.number));
  expect(await migrate(migrationClient, migrations)).toEqual([]);
  expect(await reader.rows('SELECT number, name FROM migrations ORDER BY number')).toEqual([
    [1, 'tables'],
    [2, 'views'],
    [3, 'windows'],
    [4, 'ends'],
  ]);
});

test('a crash between the statements and the record is repaired by running them again', async () => {
  await client.command({ query: 'ALTER TABLE migrations DELETE WHERE number = 2 SETTINGS mutations_sync = 1' });
  expect(await migrate(migrationClient, migrations)).toEqual([2]);
});

test('one that was changed after it was applied is refused', async () => {
  const changed = migrations.map((m) => (m.number === 1 ? { ...m, statements: [...m.statements, 'SELECT 1'] } : m));
  await expect(migrate(migrationClient, changed)).rejects.toThrow(/migration 1 \(tables\) was changed/);
});

test('a database of a newer program is refused', async () => {
  expect(await migrate(migrationClient, [...migrations, later])).toEqual([later.number]);
  await expect(migrate(migrationClient, migrations)).rejects.toThrow(/newer than this program/);
});

test('a batch with the same token goes in once; the key folds what comes with another', async () => {
  const body = '["r1","loss",1,1,0,1,0,0.5,"2026-11-21 00:00:00.000"]';
  const batch = { table: 'scalars', rows: 1, body, token: 'a' } as const;
  const counts = 'SELECT (SELECT count() FROM scalars_raw), (SELECT count() FROM scalars)';
  for (let again = 0; again < 3; again++) expect((await insertBatch(client, batch)).kind).toBe('success');
  expect(await reader.rows(counts)).toEqual([[1, 1]]);
  expect((await insertBatch(client, { ...batch, token: 'b' })).kind).toBe('success');
  expect(await reader.rows(counts)).toEqual([[2, 1]]);
});

test('what the engine says about rows is the rows fault', async () => {
  const broken = { table: 'scalars', rows: 1, body: '["r1","loss","one"', token: 'c' } as const;
  const outcome = await insertBatch(client, broken);
  expect(outcome.kind).toBe('refused');
});

test('a read that fails half way leaves nothing to the reads behind it', async () => {
  const failing = reader.rows('SELECT throwIf(number = 100000) FROM numbers(1000000) SETTINGS max_block_size = 1000');
  const behind = [1, 2, 3].map((n) => reader.rows(`SELECT ${n}`));
  await expect(failing).rejects.toThrow(/throwIf/);
  expect(await Promise.all(behind)).toEqual([[[1]], [[2]], [[3]]]);
});
