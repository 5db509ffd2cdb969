import type { ClickHouseClient } from './clickhouse-client.js';
import { StagewatchError } from '#runtime/errors.js';
import { sleep } from '#runtime/retry.js';
import { quoteAll } from './quote.js';
import { tableFormats } from './table-rows.js';

/** Every table that has rows of runs. The one with the runs comes last: as long as it has a run, the run can be asked for again. */
export const erasedTables: readonly string[] = [
  ...Object.values(tableFormats)
    .map(({ into }) => into)
    .filter((into) => into !== 'runs_raw'),
  'scalar_points_raw',
  'runs_raw',
];

const clearEveryMs = 100;
const clearWithinMs = 10_000;
/** How often parts may be merged under our hands. */
const maxRounds = 50;
/** ClickHouse's number for a part that is not there any more. */
const noSuchPart = '232';

interface Part {
  readonly partition: string;
  readonly name: string;
}

/**
 * Removes the rows of runs from all tables, and from the disk. A mutation would visit every part of a table, and it keeps
 * what it replaced for minutes. Here only the parts that hold such rows are touched: what is to stay of them is written into
 * a table beside, moved back as a new part, and the old parts are dropped. In between a row may lie in both, which is one
 * row to every reader; broken off anywhere, nothing is lost, and it can be done again.
 */
export async function eraseRuns(client: ClickHouseClient, runs: readonly string[]): Promise<void> {
  for (const table of erasedTables) await eraseFrom(client, table, runs);
}

async function eraseFrom(client: ClickHouseClient, table: string, runs: readonly string[]): Promise<void> {
  const beside = `${table}_kept`;
  // What broke off before may have left rows there.
  await client.command({ query: `DROP TABLE IF EXISTS ${beside} SYNC` });
  for (let round = 0; ; round++) {
    const parts = await partsWith(client, table, runs);
    if (parts.length === 0) break;
    if (round >= maxRounds) throw new StagewatchError('UNAVAILABLE', `the parts of ${table} do not come to rest`);
    for (const [partition, names] of byPartition(parts)) {
      await keepRest(client, { table, beside, partition, names, runs });
      for (const name of names) await dropPart(client, table, name);
    }
  }
  await clearParts(client, table);
}

async function keepRest(
  client: ClickHouseClient,
  plan: {
    readonly table: string;
    readonly beside: string;
    readonly partition: string;
    readonly names: readonly string[];
    readonly runs: readonly string[];
  },
): Promise<void> {
  const { table, beside, partition, names, runs } = plan;
  const rest = `FROM ${table} WHERE _part IN (${quoteAll(names)}) AND run NOT IN (${quoteAll(runs)})`;
  await client.command({ query: `CREATE TABLE ${beside} AS ${table}` });
  await client.command({ query: `INSERT INTO ${beside} SELECT * ${rest}` });
  const [row] = await rows(client, `SELECT count() FROM ${beside}`);
  if (Number(row?.[0]) > 0)
    await client.command({ query: `ALTER TABLE ${beside} MOVE PARTITION ID '${partition}' TO TABLE ${table}` });
  await client.command({ query: `DROP TABLE ${beside} SYNC` });
}

async function dropPart(client: ClickHouseClient, table: string, name: string): Promise<void> {
  try {
    await client.command({ query: `ALTER TABLE ${table} DROP PART '${name}'` });
  } catch (error) {
    // It has been merged into another part since it was found, which the next round finds.
    if (!(error instanceof Error && 'code' in error && String(error.code) === noSuchPart)) throw error;
  }
}

async function partsWith(client: ClickHouseClient, table: string, runs: readonly string[]): Promise<readonly Part[]> {
  const found = await rows(client, `SELECT DISTINCT _partition_id, _part FROM ${table} WHERE run IN (${quoteAll(runs)})`);
  return found.map((row) => ({ partition: String(row[0]), name: String(row[1]) }));
}

function byPartition(parts: readonly Part[]): ReadonlyMap<string, readonly string[]> {
  const partitions = new Map<string, string[]>();
  for (const { partition, name } of parts) {
    const names = partitions.get(partition);
    if (names === undefined) partitions.set(partition, [name]);
    else names.push(name);
  }
  return partitions;
}

/** Parts that were dropped, or merged into others, stay on the disk for minutes, and while somebody reads them. */
async function clearParts(client: ClickHouseClient, table: string): Promise<void> {
  const old = await oldParts(client, table);
  if (old.size === 0) return;
  const deadline = Date.now() + clearWithinMs;
  await client.command({ query: `ALTER TABLE ${table} MODIFY SETTING old_parts_lifetime = 0` });
  for (;;) {
    // There is no such partition; what this does is to clear away the old parts.
    await client.command({ query: `ALTER TABLE ${table} DROP PARTITION ID 'none'` });
    const left = [...(await oldParts(client, table))].filter((name) => old.has(name));
    if (left.length === 0) break;
    if (Date.now() > deadline) {
      throw new StagewatchError('UNAVAILABLE', `parts of ${table} are still being read: ${left.join(', ')}`);
    }
    await sleep(clearEveryMs);
  }
  await client.command({ query: `ALTER TABLE ${table} RESET SETTING old_parts_lifetime` });
}

async function oldParts(client: ClickHouseClient, table: string): Promise<ReadonlySet<string>> {
  const found = await rows(
    client,
    `SELECT name FROM system.parts WHERE database = currentDatabase() AND table = '${table}' AND NOT active`,
  );
  return new Set(found.map((row) => String(row[0])));
}

async function rows(client: ClickHouseClient, query: string): Promise<readonly (readonly unknown[])[]> {
  const result = await client.query({ query, format: 'JSONCompactEachRow' });
  return await result.json<unknown[]>();
}
