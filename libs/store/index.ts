import { createLogger, type Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { describeConfinement } from '#runtime/processes/reach.js';
import type { BatchLimits } from './batch-writer.js';
import { openClient, type ClickHouseAddress } from './clickhouse-client.js';
import { ClickHouseStore } from './clickhouse-store.js';
import { EmbeddedHost, hasDatabase, refuseVanished } from './embedded-host.js';
import { defaultEngineLimits, EngineProcess } from './engine-process/engine-process.js';
import { inspect, type StoreReport } from './health/inspect.js';
import { LedgerFile } from './health/ledger.js';
import type { Store } from './store.js';

export interface EmbeddedStoreOptions {
  /** Folder of the database; one process may have it open at a time. */
  readonly path: string;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly limits?: Partial<BatchLimits>;
  /** What the process of the engine may take. */
  readonly memoryBytes?: number;
  /** Somebody remembers that rows were written here, so that an empty folder is a loss. */
  readonly heldRows?: boolean;
  /** Go on without what is lost. */
  readonly acceptDataLoss?: boolean;
}

const defaultMemoryBytes = 2 * 1024 ** 3;
const ledgerFile = (path: string): LedgerFile => new LedgerFile(`${path}-ledger.json`);

/** Starts ClickHouse as a process beside this one, on a folder of its own, creating or migrating what is there. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { path, logger = createLogger({ level: 'silent' }), metrics, limits, memoryBytes = defaultMemoryBytes } = options;
  const { heldRows = false, acceptDataLoss = false } = options;
  const file = ledgerFile(path);
  refuseVanished(path, file, heldRows, acceptDataLoss);
  const engine = await EngineProcess.start({ path, logger, metrics, limits: defaultEngineLimits(memoryBytes) });
  const host = new EmbeddedHost(engine, file);
  const address: ClickHouseAddress = { kind: 'engine', socketPath: engine.socketPath };
  try {
    const store = await ClickHouseStore.open(address, { logger, metrics, limits, host });
    await host.watchHealth({ file, logger, acceptDataLoss });
    return store;
  } catch (error) {
    await host.close();
    throw error;
  }
}

export interface ServerStoreOptions {
  /** With user and password in it. */
  readonly url: string;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly limits?: Partial<BatchLimits>;
}

/** The same tables in a ClickHouse server that somebody else runs. */
export function openServerStore(options: ServerStoreOptions): Promise<Store> {
  return ClickHouseStore.open({ kind: 'server', url: options.url }, options);
}

/** Reads all that a store holds, which nobody may have open, and says what is damaged. Undefined where there is none. */
export async function inspectStore(path: string): Promise<StoreReport | undefined> {
  if (!hasDatabase(path)) return undefined;
  const logger = createLogger({ level: 'silent' });
  const engine = await EngineProcess.start({ path, logger, limits: defaultEngineLimits(defaultMemoryBytes) });
  const client = openClient({ kind: 'engine', socketPath: engine.socketPath }, 'writer');
  try {
    return await inspect(client, ledgerFile(path));
  } finally {
    await client.close();
    await engine.close();
  }
}

/** Starts the engine on a folder once, and says what it is confined by. */
export async function tryConfinement(path: string): Promise<string> {
  const logger = createLogger({ level: 'silent' });
  const engine = await EngineProcess.start({ path, logger, limits: defaultEngineLimits(defaultMemoryBytes) });
  const { confinement } = engine;
  await engine.close();
  return confinement === undefined ? 'unknown' : describeConfinement(confinement);
}
