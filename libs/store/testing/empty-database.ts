import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '#runtime/logging.js';
import { openClient, Reader, type ClickHouseClient } from '../clickhouse-client.js';
import { defaultEngineLimits, EngineProcess } from '../engine-process/engine-process.js';
import type { MigrationClient } from '../migrate.js';

export interface EmptyDatabase {
  readonly client: ClickHouseClient;
  readonly reader: Reader;
  readonly migrationClient: MigrationClient;
  close(): Promise<void>;
}

/** A database without a table, in an engine and a folder that go with it. For tests. */
export async function openEmptyDatabase(): Promise<EmptyDatabase> {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-database-'));
  const logger = createLogger({ level: 'silent' });
  const engine = await EngineProcess.start({ path, limits: defaultEngineLimits(1024 ** 3), logger });
  const address = { kind: 'engine', socketPath: engine.socketPath } as const;
  const outside = openClient(address, 'writer', 'default');
  await outside.command({ query: 'CREATE DATABASE stagewatch' });
  await outside.close();
  const client = openClient(address, 'writer');
  const reader = new Reader(openClient(address, 'page'));
  return {
    client,
    reader,
    migrationClient: {
      command: async (query) => void (await client.command({ query })),
      rows: (query) => reader.rows(query),
      insert: async (table, row) => void (await client.insert({ table, values: [row], format: 'JSONEachRow' })),
    },
    close: async () => {
      await client.close();
      await engine.close();
      await rm(path, { recursive: true });
    },
  };
}
