import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StagewatchError } from '#runtime/errors.js';
import { openClient, Reader, type ClickHouseClient } from './clickhouse-client.js';
import type { StoreHost } from './clickhouse-store.js';
import { database } from './database.js';
import type { EngineProcess } from './engine-process/engine-process.js';
import { emptyLedger, type LedgerFile } from './health/ledger.js';
import { StoreHealth, type StoreHealthOptions } from './health/store-health.js';

/** The process of the engine, and what is known of the health of its data. */
export class EmbeddedHost implements StoreHost {
  private health: StoreHealth | undefined;
  private client: ClickHouseClient | undefined;

  constructor(
    private readonly engine: EngineProcess,
    private readonly file?: LedgerFile,
  ) {}

  /** Once the tables are there to be looked at. */
  async watchHealth(options: Omit<StoreHealthOptions, 'reader'>): Promise<void> {
    this.client = openClient({ kind: 'engine', socketPath: this.engine.socketPath }, 'page');
    this.health = await StoreHealth.start({ ...options, reader: new Reader(this.client) });
  }

  async check(): Promise<void> {
    await this.engine.check();
    this.health?.check();
  }

  erasing<T>(work: () => Promise<T>): Promise<T> {
    if (this.health !== undefined) return this.health.erasing(work);
    // What is looked at afterwards is compared with nothing.
    this.file?.write({ ...(this.file.read() ?? emptyLedger), erasing: true });
    return work();
  }

  async close(): Promise<void> {
    await this.health?.close();
    await this.client?.close();
    await this.engine.close();
  }
}

export function hasDatabase(path: string): boolean {
  return existsSync(join(path, 'metadata', `${database}.sql`)) || existsSync(join(path, 'metadata', database));
}

/** A folder that has vanished is not an empty one. */
export function refuseVanished(path: string, file: LedgerFile, heldRows: boolean, acceptDataLoss: boolean): void {
  if (hasDatabase(path)) return;
  const remembered = file.read()?.parts.reduce((sum, part) => sum + part.rows, 0) ?? 0;
  if (remembered === 0 && !heldRows) return;
  if (acceptDataLoss) return file.remove();
  const rows = remembered === 0 ? 'rows' : `${remembered} rows`;
  throw new StagewatchError(
    'UNAVAILABLE',
    `the database in ${path} is gone, and it held ${rows}: put it back, or start with --accept-data-loss to go on with an empty one`,
  );
}
