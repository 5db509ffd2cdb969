import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { ClickHouseStore } from '#store/clickhouse-store.js';
import { EmbeddedHost } from '#store/embedded-host.js';
import { defaultEngineLimits, EngineProcess } from '#store/engine-process/engine-process.js';

export interface EngineStore {
  readonly store: ClickHouseStore;
  readonly engine: EngineProcess;
  readonly metrics: Metrics;
  readonly folder: string;
  close(): Promise<void>;
}

/** A store whose process can be looked at, and killed. */
export async function openEngineStore(options: { readonly memoryBytes?: number } = {}): Promise<EngineStore> {
  const folder = mkdtempSync(join(tmpdir(), 'stagewatch-engine-store-'));
  const metrics = new Metrics();
  const logger = createLogger({ level: 'fatal' });
  const limits = defaultEngineLimits(options.memoryBytes ?? 2 * 1024 ** 3);
  const engine = await EngineProcess.start({ path: join(folder, 'clickhouse'), limits, logger, metrics });
  const store = await ClickHouseStore.open(
    { kind: 'engine', socketPath: engine.socketPath },
    { host: new EmbeddedHost(engine), metrics, logger },
  );
  return {
    store,
    engine,
    metrics,
    folder,
    close: async () => {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
