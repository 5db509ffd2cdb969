import { StagewatchError } from '#runtime/errors.js';
import type { MigrationClient } from './migrate.js';
import type { Fill, Rebuild } from './migrations/migration.js';
import { quote } from './quote.js';

export interface CopyProgress {
  readonly table: string;
  readonly rows: number;
  readonly ofRows: number;
}

type Report = (copied: CopyProgress) => void;

/** Runs are copied together until they have so many rows: what a crash lets be copied again. */
const chunkRows = 2_000_000;
/** A chunk's runs may have begun in any number of windows. */
const copying = 'max_partitions_per_insert_block = 0, max_threads = 2';

/** How far each copy has come: all runs up to this one are in the new table. */
const copies = `CREATE TABLE IF NOT EXISTS migration_copies (name String, run String, rows UInt64)
  ENGINE = ReplacingMergeTree(rows) ORDER BY name SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`;

/**
 * Copies a table into one of the new shape and lets the two change names. A crash loses at most the chunk under way, whose
 * rows fold when they are written again. The old table stays whole until the new one has its name.
 */
export async function rebuildTable(client: MigrationClient, { table, shape }: Rebuild, report: Report): Promise<void> {
  const next = `${table}_next`;
  const { isPartitioned, isEmpty, isBegun } = await look(client, table, next);
  if (!isPartitioned && isEmpty) await client.command(`CREATE OR REPLACE TABLE ${table} ${shape}`);
  else if (!isPartitioned) {
    await assertRoom(client, table);
    await client.command(`CREATE TABLE IF NOT EXISTS ${next} ${shape}`);
    await copy(client, { name: table, into: next, from: table, select: '*', groupBy: '' }, report);
    await client.command(`EXCHANGE TABLES ${table} AND ${next}`);
  }
  if (isBegun || !isEmpty) await client.command(`DROP TABLE IF EXISTS ${next} SYNC`);
}

export async function fillTable(client: MigrationClient, fill: Fill, report: Report): Promise<void> {
  await copy(client, { ...fill, name: fill.into }, report);
}

/** It names runs, so it goes when it is not needed any more. */
export async function forgetCopies(client: MigrationClient): Promise<void> {
  await client.command('DROP TABLE IF EXISTS migration_copies SYNC');
}

async function copy(
  client: MigrationClient,
  plan: Omit<Fill, 'kind'> & { readonly name: string },
  report: Report,
): Promise<void> {
  const { name, into, from, select, groupBy } = plan;
  const sizes = await client.rows(`SELECT toString(run) AS id, count() FROM ${from} GROUP BY id ORDER BY id`);
  if (sizes.length === 0) return;
  await client.command(copies);
  const ofRows = sizes.reduce((sum, row) => sum + Number(row[1]), 0);
  const [done] = await client.rows(`SELECT run FROM migration_copies FINAL WHERE name = '${name}'`);
  let after = done === undefined ? '' : String(done[0]);
  let rows = 0;
  let pending = 0;
  for (const [i, row] of sizes.entries()) {
    const run = String(row[0]);
    rows += Number(row[1]);
    if (run <= after && done !== undefined) continue;
    pending += Number(row[1]);
    if (pending < chunkRows && i < sizes.length - 1) continue;
    await client.command(
      `INSERT INTO ${into} SELECT ${select} FROM ${from} WHERE run > ${quote(after)} AND run <= ${quote(run)} ${groupBy} SETTINGS ${copying}`,
    );
    await client.insert('migration_copies', { name, run, rows });
    report({ table: name, rows, ofRows });
    after = run;
    pending = 0;
  }
}

interface Look {
  readonly isPartitioned: boolean;
  readonly isEmpty: boolean;
  /** There is a new table beside it already, or still. */
  readonly isBegun: boolean;
}

async function look(client: MigrationClient, table: string, next: string): Promise<Look> {
  const found = await client.rows(
    `SELECT name, partition_key, total_rows FROM system.tables WHERE database = currentDatabase() AND name IN ('${table}', '${next}')`,
  );
  const own = found.find((row) => row[0] === table);
  return {
    isPartitioned: own !== undefined && own[1] !== '',
    isEmpty: Number(own?.[2] ?? Number.NaN) === 0,
    isBegun: found.some((row) => row[0] === next),
  };
}

/** Both tables lie on the disk for a while. */
async function assertRoom(client: MigrationClient, table: string): Promise<void> {
  const [row] = await client.rows(
    `SELECT sum(bytes_on_disk), (SELECT min(unreserved_space) FROM system.disks) FROM system.parts
     WHERE database = currentDatabase() AND table = '${table}' AND active`,
  );
  const [neededBytes, freeBytes] = [Number(row?.[0] ?? 0), Number(row?.[1] ?? 0)];
  if (freeBytes > 1.2 * neededBytes) return;
  throw new StagewatchError('STORAGE_FULL', `rebuilding ${table} needs as much space again as it has`, {
    value: `${freeBytes} bytes free`,
    expected: `${Math.ceil(1.2 * neededBytes)} bytes`,
  });
}
