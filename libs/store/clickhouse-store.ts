import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { StagewatchError } from '#runtime/errors.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { exportTable } from './backup/export-table.js';
import { BatchWriter, defaultBatchLimits, type BatchLimits } from './batch-writer.js';
import { openClient, Reader, type ClickHouseAddress, type ClickHouseClient } from './clickhouse-client.js';
import { database } from './database.js';
import { classNames, type ClassName } from './engine-process/classes.js';
import { eraseRuns } from './erase-runs.js';
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
import type { ForeignQuery, RunFilter, SeriesName, SeriesPoints, SeriesQuery, Store } from './store.js';

export interface ClickHouseStoreOptions {
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
  readonly limits?: Partial<BatchLimits> | undefined;
  readonly host?: StoreHost;
}

/** What holds the database up: it knows whether all is well, and ends last. */
export interface StoreHost {
  /** Throws when something is wrong. */
  check(): Promise<void>;
  /** Removes rows on purpose. */
  erasing<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

type Clients = Readonly<Record<ClassName, ClickHouseClient>>;

/** The tables of the house in ClickHouse, wherever that is. */
export class ClickHouseStore implements Store {
  private readonly reader: Reader;

  private constructor(
    private readonly clients: Clients,
    private readonly foreign: ForeignQueries,
    private readonly writer: BatchWriter,
    private readonly host: StoreHost | undefined,
  ) {
    this.reader = new Reader(clients.page);
  }

  /** Creates or migrates what is there. */
  static async open(address: ClickHouseAddress, options: ClickHouseStoreOptions): Promise<ClickHouseStore> {
    const { logger, metrics, limits } = options;
    const clients = Object.fromEntries(classNames.map((name) => [name, openClient(address, name)])) as Record<
      ClassName,
      ClickHouseClient
    >;
    try {
      await prepare(address, clients.writer, options);
      const foreign = await ForeignQueries.open(clients, database);
      const insert = (batch: Parameters<typeof insertBatch>[1]): ReturnType<typeof insertBatch> =>
        insertBatch(clients.writer, batch);
      const writer = new BatchWriter(insert, { limits: { ...defaultBatchLimits, ...limits }, logger, metrics });
      return new ClickHouseStore(clients, foreign, writer, options.host);
    } catch (error) {
      await closeAll(clients);
      if (error instanceof StagewatchError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new StagewatchError('UNAVAILABLE', `the database could not be opened: ${reason}`, {}, error);
    }
  }

  write<T extends TableName>(table: T, rows: readonly TableRows[T][]): Promise<void> {
    return this.writer.write(table, rows);
  }

  runs(filter?: RunFilter): Promise<readonly RunRow[]> {
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

  deleteRuns(runs: readonly string[]): Promise<void> {
    const erase = async (): Promise<void> => {
      await this.writer.flush();
      await eraseRuns(this.clients.eraser, runs);
    };
    return this.host === undefined ? erase() : this.host.erasing(erase);
  }

  async runsSeenBefore(timeMs: number): Promise<readonly string[]> {
    const rows = await this.reader.rows(
      `SELECT run FROM runs WHERE status != 'running' AND seen < fromUnixTimestamp64Milli({ms:Int64}, 'UTC') ORDER BY seen, run`,
      { ms: Math.trunc(timeMs) },
    );
    return rows.map((row) => String(row[0]));
  }

  async *exportTable(table: TableName): AsyncGenerator<{ readonly rows: number; readonly lines: string }> {
    await this.writer.flush();
    yield* exportTable(this.reader, table);
  }

  async importLines(table: TableName, lines: string): Promise<void> {
    const outcome = await insertBatch(this.clients.writer, { table, rows: 0, body: lines, token: randomUUID() });
    if (outcome.kind !== 'success') throw outcome.error;
  }

  async check(): Promise<void> {
    const answer = await this.clients.page.ping();
    if (!answer.success) throw new StagewatchError('UNAVAILABLE', 'the database does not answer', {}, answer.error);
    await this.host?.check();
  }

  /** Ends before the database does: what waits is written, if somebody is there to take it. */
  async close(): Promise<void> {
    await this.writer.close();
    await this.foreign.close();
    await closeAll(this.clients);
    await this.host?.close();
  }
}

async function prepare(
  address: ClickHouseAddress,
  client: ClickHouseClient,
  { logger, host }: ClickHouseStoreOptions,
): Promise<void> {
  await createDatabase(address);
  const reader = new Reader(client);
  const applied = await migrate(
    {
      command: async (query) => void (await client.command({ query })),
      rows: (query) => reader.rows(query),
      insert: async (table, row) => void (await client.insert({ table, values: [row], format: 'JSONEachRow' })),
    },
    migrations,
    {
      progress: (copied) => logger?.info(copied, 'rows are copied into tables of another shape'),
      // Parts of the old tables go on purpose.
      around: (work) => (host === undefined ? work() : host.erasing(work)),
    },
  );
  if (applied.length > 0) logger?.info({ migrations: applied }, 'database migrated');
}

/** From outside of it: a statement whose database is not there yet would be refused. */
async function createDatabase(address: ClickHouseAddress): Promise<void> {
  const client = openClient(address, 'writer', 'default');
  await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` });
  await client.close();
}

async function closeAll(clients: Clients): Promise<void> {
  for (const name of classNames) await clients[name].close();
}
