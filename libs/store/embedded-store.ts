import type { Readable } from 'node:stream';
import type { ClickHouseClient } from '@clickhouse/client';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { BatchWriter, defaultBatchLimits, type BatchLimits } from './batch-writer.js';
import { openChdbClient, Reader } from './chdb-client.js';
import { eraseRuns, erasing } from './erase-runs.js';
import { ForeignQueries } from './foreign/foreign-queries.js';
import { insertBatch } from './insert-batch.js';
import { migrate } from './migrate.js';
import { migrations } from './migrations/index.js';
import { readFindings } from './read/findings.js';
import { readInstruments } from './read/instruments.js';
import { readRun, readRuns } from './read/runs.js';
import { readSeriesNames } from './read/series-names.js';
import { readSeries } from './read/series.js';
import type { FindingRow, InstrumentRow, RunRow, TableName, TableRows } from './rows.js';
import type { ForeignQuery, SeriesName, SeriesPoints, SeriesQuery, Store } from './store.js';

export interface EmbeddedStoreOptions {
  /** Folder of the database; one process may have it open at a time. */
  readonly path: string;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly limits?: Partial<BatchLimits>;
}

export const database = 'stagewatch';

/** Text floats are parsed to the nearest double, as they were printed. */
const writing = { precise_float_parsing: 1 };
const reading = { output_format_json_quote_denormals: 1, output_format_json_quote_64bit_integers: 0 };

export class EmbeddedStore implements Store {
  private constructor(
    private readonly writeClient: ClickHouseClient,
    private readonly readClient: ClickHouseClient,
    private readonly eraseClient: ClickHouseClient,
    private readonly reader: Reader,
    private readonly foreign: ForeignQueries,
    private readonly writer: BatchWriter,
  ) {}

  static async open(options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
    const clients: ClickHouseClient[] = [];
    try {
      const writeClient = await openChdbClient(options.path, writing);
      clients.push(writeClient);
      await writeClient.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
      await writeClient.command({ query: `USE ${database}` });
      const migrationReader = new Reader(writeClient);
      const applied = await migrate(
        {
          command: async (query) => void (await writeClient.command({ query })),
          rows: (query) => migrationReader.rows(query),
          insert: async (table, row) => void (await writeClient.insert({ table, values: [row], format: 'JSONEachRow' })),
        },
        migrations,
        (copied) => options.logger?.info(copied, 'rows are copied into tables of another shape'),
      );
      if (applied.length > 0) options.logger?.info({ migrations: applied }, 'database migrated');
      const readClient = await openChdbClient(options.path, reading);
      clients.push(readClient);
      await readClient.command({ query: `USE ${database}` });
      const eraseClient = await openChdbClient(options.path, erasing);
      clients.push(eraseClient);
      await eraseClient.command({ query: `USE ${database}` });
      const foreign = await ForeignQueries.open(options.path, database);
      const writer = new BatchWriter((batch) => insertBatch(writeClient, batch), {
        limits: { ...defaultBatchLimits, ...options.limits },
        logger: options.logger,
        metrics: options.metrics,
      });
      return new EmbeddedStore(writeClient, readClient, eraseClient, new Reader(readClient), foreign, writer);
    } catch (error) {
      for (const client of clients) await client.close();
      if (error instanceof StagewatchError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StagewatchError('UNAVAILABLE', `the database in ${options.path} could not be opened: ${reason}`, {}, error);
    }
  }

  write<T extends TableName>(table: T, rows: readonly TableRows[T][]): Promise<void> {
    return this.writer.write(table, rows);
  }

  runs(filter?: { readonly project?: string; readonly limit?: number }): Promise<readonly RunRow[]> {
    return readRuns(this.reader, filter);
  }

  run(run: string): Promise<RunRow | undefined> {
    return readRun(this.reader, run);
  }

  findings(run: string): Promise<readonly FindingRow[]> {
    return readFindings(this.reader, run);
  }

  instruments(run: string, attempt: number): Promise<readonly InstrumentRow[]> {
    return readInstruments(this.reader, run, attempt);
  }

  seriesNames(run: string): Promise<readonly SeriesName[]> {
    return readSeriesNames(this.reader, run);
  }

  series(query: SeriesQuery): Promise<SeriesPoints> {
    return readSeries(this.reader, query);
  }

  query(request: ForeignQuery): Promise<Readable> {
    return this.foreign.query(request);
  }

  async deleteRuns(runs: readonly string[]): Promise<void> {
    await this.writer.flush();
    await eraseRuns(this.eraseClient, runs);
  }

  async runsSeenBefore(timeMs: number): Promise<readonly string[]> {
    const rows = await this.reader.rows(
      `SELECT run FROM runs WHERE status != 'running' AND seen < fromUnixTimestamp64Milli({ms:Int64}, 'UTC') ORDER BY seen, run`,
      { ms: Math.trunc(timeMs) },
    );
    return rows.map((row) => String(row[0]));
  }

  async check(): Promise<void> {
    const answer = await this.readClient.ping();
    if (!answer.success) throw new StagewatchError('UNAVAILABLE', 'the database does not answer', {}, answer.error);
  }

  async close(): Promise<void> {
    await this.writer.close();
    await this.foreign.close();
    await this.eraseClient.close();
    await this.readClient.close();
    await this.writeClient.close();
  }
}
