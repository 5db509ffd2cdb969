import type { ClickHouseClient } from '@clickhouse/client';

/**
 * Removes the rows of a run from one table, and from the disk. ClickHouse writes the parts anew without them and keeps
 * the old ones for minutes, in case that the new ones are lost with the power. Somebody's data that was to be deleted
 * should not lie there: the new parts are synced instead, and the old ones go at once, but for those that a query still
 * reads. Where a crash leaves the settings behind, they are only a little slower.
 */
export async function eraseRun(client: ClickHouseClient, table: string, run: string): Promise<void> {
  await client.command({
    query: `ALTER TABLE ${table} MODIFY SETTING old_parts_lifetime = 0, min_rows_to_fsync_after_merge = 1`,
  });
  await client.command({
    query: `ALTER TABLE ${table} DELETE WHERE run = {run:String} SETTINGS mutations_sync = 1`,
    query_params: { run },
  });
  // There is no such partition; what this does is to clear away the old parts.
  await client.command({ query: `ALTER TABLE ${table} DROP PARTITION ID 'none'` });
  // The order itself names the run.
  await client.command({ query: `KILL MUTATION WHERE database = currentDatabase() AND table = '${table}' AND is_done SYNC` });
  await client.command({ query: `ALTER TABLE ${table} RESET SETTING old_parts_lifetime, min_rows_to_fsync_after_merge` });
}
