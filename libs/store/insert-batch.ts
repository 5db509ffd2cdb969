import { Readable } from 'node:stream';
import type { ClickHouseClient } from '@clickhouse/client';
import type { Batch, InsertOutcome } from './batch-writer.js';
import { tableFormats } from './table-rows.js';
import { insertOutcome } from './weather.js';

/** One try to insert a batch. The token makes it harmless to try again when it is not known whether it went in. */
export async function insertBatch(client: ClickHouseClient, batch: Batch): Promise<InsertOutcome> {
  const { into, columns } = tableFormats[batch.table];
  try {
    const list = columns.map((column) => `\`${column}\``).join(', ');
    // The client's `insert` would serialise row by row what is one text already.
    const answer = await client.exec({
      query: `INSERT INTO ${into} (${list}) FORMAT JSONCompactEachRow`,
      values: Readable.from([batch.body]),
      clickhouse_settings: {
        insert_deduplication_token: batch.token,
        // What fed on the batch when it was tried first may have failed after the batch went in.
        deduplicate_blocks_in_dependent_materialized_views: 1,
        // The runs of a batch may have begun in any number of windows.
        max_partitions_per_insert_block: '0',
        log_comment: `stagewatch batch writer: ${batch.table}`,
      },
    });
    answer.stream.destroy();
    return { kind: 'success', value: undefined };
  } catch (error) {
    return insertOutcome(error);
  }
}
