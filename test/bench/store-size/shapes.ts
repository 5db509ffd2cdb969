import { createLogger } from '#runtime/logging.js';
import { eraseRuns } from '#store/erase-runs.js';
import { openClient, Reader, type ClickHouseClient } from '#store/clickhouse-client.js';
import { defaultEngineLimits, EngineProcess } from '#store/engine-process/engine-process.js';
import { migrate } from '#store/migrate.js';
import { migrations } from '#store/migrations/index.js';
import { quoteAll } from '#store/quote.js';
import { readSeriesNames } from '#store/read/series-names.js';

const memoryBytes = 2 * 1024 ** 3;

/** A database of one shape, on three connections as the store has them. */
export interface Shape {
  readonly writer: ClickHouseClient;
  readonly reader: Reader;
  readonly eraser: ClickHouseClient;
  names(run: string): Promise<unknown>;
  erase(runs: readonly string[]): Promise<void>;
  /** How many runs are removed together. */
  readonly eraseAtOnce: number;
  close(): Promise<void>;
}

/** `before`: whole tables, one mutation a run, names counted at reading. `after`: as the migrations leave it. */
export async function openShape(kind: 'before' | 'after', path: string): Promise<Shape> {
  const engine = await EngineProcess.start({
    path,
    limits: defaultEngineLimits(memoryBytes),
    logger: createLogger({ level: 'error' }),
  });
  const address = { kind: 'engine', socketPath: engine.socketPath } as const;
  const outside = openClient(address, 'writer', 'default');
  await outside.command({ query: 'CREATE DATABASE IF NOT EXISTS stagewatch' });
  await outside.close();
  const writer = openClient(address, 'writer');
  const migrating = new Reader(writer);
  await migrate(
    {
      command: async (query) => void (await writer.command({ query })),
      rows: (query) => migrating.rows(query),
      insert: async (table, row) => void (await writer.insert({ table, values: [row], format: 'JSONEachRow' })),
    },
    kind === 'before' ? migrations.slice(0, 2) : migrations,
  );
  const readClient = openClient(address, 'page');
  const eraser = openClient(address, kind === 'before' ? 'writer' : 'eraser');
  const reader = new Reader(readClient);
  return {
    writer,
    reader,
    eraser,
    names: (run) => (kind === 'before' ? countNames(reader, run) : readSeriesNames(reader, run)),
    erase: (runs) => (kind === 'before' ? mutate(eraser, runs) : eraseRuns(eraser, runs)),
    eraseAtOnce: kind === 'before' ? 1 : 500,
    close: async () => {
      for (const client of [eraser, readClient, writer]) await client.close();
      await engine.close();
    },
  };
}

function countNames(reader: Reader, run: string): Promise<unknown> {
  return reader.rows(`SELECT name, key, source, count() FROM series WHERE run = {run:String} GROUP BY name, key, source`, {
    run,
  });
}

async function mutate(client: ClickHouseClient, runs: readonly string[]): Promise<void> {
  for (const table of ['runs_raw', 'scalars_raw']) {
    await client.command({
      query: `ALTER TABLE ${table} DELETE WHERE run IN (${quoteAll(runs)}) SETTINGS mutations_sync = 1`,
    });
    await client.command({ query: `ALTER TABLE ${table} MODIFY SETTING old_parts_lifetime = 0` });
    await client.command({ query: `ALTER TABLE ${table} DROP PARTITION ID 'none'` });
  }
}
