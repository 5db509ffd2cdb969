import type { ClickHouseClient } from '@clickhouse/client';
import { StagewatchError } from '#runtime/errors.js';
import { sleep } from '#runtime/retry.js';

const clearEveryMs = 100;
const clearWithinMs = 10_000;

/**
 * Removes the rows of a run from one table, and from the disk. ClickHouse writes the parts anew without them and keeps
 * the old ones for minutes, in case that the new ones are lost with the power. Somebody's data that was to be deleted
 * should not lie there: the new parts are synced instead, and the old ones go at once. Where a crash leaves the settings
 * behind, they are only a little slower.
 */
export async function eraseRun(client: ClickHouseClient, table: string, run: string): Promise<void> {
  await client.command({
    query: `ALTER TABLE ${table} MODIFY SETTING old_parts_lifetime = 0, min_rows_to_fsync_after_merge = 1`,
  });
  const old = await partNames(client, table);
  await client.command({
    query: `ALTER TABLE ${table} DELETE WHERE run = {run:String} SETTINGS mutations_sync = 1`,
    query_params: { run },
  });
  await clearParts(client, table, old);
  // The order itself names the run.
  await client.command({ query: `KILL MUTATION WHERE database = currentDatabase() AND table = '${table}' AND is_done SYNC` });
  await client.command({ query: `ALTER TABLE ${table} RESET SETTING old_parts_lifetime, min_rows_to_fsync_after_merge` });
}

/** A mutation gives every part a new name, so the old ones are all in the way; a part stays while somebody reads it. */
async function clearParts(client: ClickHouseClient, table: string, old: ReadonlySet<string>): Promise<void> {
  const deadline = Date.now() + clearWithinMs;
  for (;;) {
    // There is no such partition; what this does is to clear away the old parts.
    await client.command({ query: `ALTER TABLE ${table} DROP PARTITION ID 'none'` });
    const left = [...(await partNames(client, table))].filter((name) => old.has(name));
    if (left.length === 0) return;
    if (Date.now() > deadline) {
      throw new StagewatchError('UNAVAILABLE', `parts of ${table} are still being read: ${left.join(', ')}`);
    }
    await sleep(clearEveryMs);
  }
}

async function partNames(client: ClickHouseClient, table: string): Promise<ReadonlySet<string>> {
  const result = await client.query({
    query: `SELECT name FROM system.parts WHERE database = currentDatabase() AND table = '${table}'`,
    format: 'JSONCompactEachRow',
  });
  return new Set((await result.json<[string]>()).map(([name]) => name));
}
