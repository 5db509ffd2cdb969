import { createLogger, type Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import type { BatchLimits } from './batch-writer.js';
import { ClickHouseStore } from './clickhouse-store.js';
import { defaultEngineLimits, EngineProcess } from './engine-process/engine-process.js';
import type { Store } from './store.js';

export interface EmbeddedStoreOptions {
  /** Folder of the database; one process may have it open at a time. */
  readonly path: string;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly limits?: Partial<BatchLimits>;
  /** What the process of the engine may take. */
  readonly memoryBytes?: number;
}

const defaultMemoryBytes = 2 * 1024 ** 3;

/** Starts ClickHouse as a process beside this one, on a folder of its own, creating or migrating what is there. */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  const { path, logger = createLogger({ level: 'silent' }), metrics, limits, memoryBytes = defaultMemoryBytes } = options;
  const engine = await EngineProcess.start({ path, logger, metrics, limits: defaultEngineLimits(memoryBytes) });
  try {
    return await ClickHouseStore.open({ kind: 'engine', socketPath: engine.socketPath }, { logger, metrics, limits, host: engine });
  } catch (error) {
    await engine.close();
    throw error;
  }
}

export interface ServerStoreOptions {
  readonly url: string;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly limits?: Partial<BatchLimits>;
}

/** The same tables in a ClickHouse server that somebody else runs. */
export function openServerStore(options: ServerStoreOptions): Promise<Store> {
  return ClickHouseStore.open({ kind: 'server', url: options.url }, options);
}
