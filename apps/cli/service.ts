import { mkdirSync } from 'node:fs';
import { openFileBlobs } from '#blobs/index.js';
import { openLmdbBus, restoreFromCopy } from '#bus/index.js';
import type { Config } from '#runtime/config.js';
import { DiskReserve } from '#runtime/disk-reserve.js';
import { createLogger, type Logger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { isEveryAddress, pageOrigin } from '#runtime/page-origin.js';
import { openEmbeddedStore, openServerStore } from '#store/index.js';
import type { Store } from '#store/store.js';
import { lockDataFolder } from './data-folder-lock.js';
import { dataPaths } from './data-paths.js';
import { version } from './version.js';

export interface Service {
  readonly ports: { readonly http: number; readonly grpc: number; readonly clickhouse: number };
  /** For people. */
  readonly pageUrl: string;
  /** For this machine, whatever stands before the service elsewhere. */
  readonly localUrl: string;
  close(): Promise<void>;
}

export interface StartOptions {
  /** Go on without what the store has lost. */
  readonly acceptDataLoss?: boolean;
  /** Goes back to the newest copy of the bus when its file is damaged. */
  readonly restoreBus?: boolean;
}

/** The whole service on one data folder. Closes in the reverse order of starting. */
export async function startService(config: Config, options: StartOptions = {}): Promise<Service> {
  const logger = createLogger({ level: config.logLevel });
  const metrics = new Metrics();
  const opened: { close(): Promise<void> | void }[] = [];
  const close = async (): Promise<void> => {
    for (const part of opened.splice(0).reverse()) await part.close();
  };
  const keep = <T extends { close(): Promise<void> | void }>(part: T): T => {
    opened.push(part);
    return part;
  };
  try {
    const lock = lockDataFolder(config.dataDir);
    keep({ close: () => lock.release() });
    mkdirSync(config.dataDir, { recursive: true });
    const parts = { config, logger, metrics };
    const reserve = keep(new DiskReserve(config.dataDir, logger));
    await reserve.start();
    const withheldBytes = (): number => reserve.missingBytes;
    const { bus: path, busCopies: folder, blobs: blobsPath } = dataPaths(config.dataDir);
    if (options.restoreBus === true) await restoreBus(path, folder, logger);
    const copies = { folder, everyMs: config.busCopyEveryMs };
    const bus = keep(await openLmdbBus({ path, logger, metrics, withheldBytes, copies }));
    // What is told live is in the store already.
    const heldRows = (await bus.head('live')) > 0;
    const opening = openStore(config, { ...options, heldRows, logger, metrics });
    // It starts while the others do; before it is known whether it could, somebody else may have failed.
    keep({ close: async () => (await opening.catch(() => undefined))?.close() });
    const blobs = keep(await openFileBlobs({ path: blobsPath, withheldBytes }));
    const { createAlerts, createAnalyzer, createClickHouseDoor, createCollector, createDashboard } = await loadRooms();
    // Before the analyzer: whoever reads findings is known before the first one is told.
    const alerts = keep(createAlerts({ ...parts, bus }));
    await alerts.start();
    const store = await opening;
    const analyzer = keep(createAnalyzer({ ...parts, bus, blobs, store }));
    await analyzer.start();
    // The dashboard is the last to listen, and may be given any free port.
    let httpPort = config.ports.http;
    const pageUrl = (run: string, askedHost?: string): string => `${pageOrigin(config, httpPort, askedHost)}/runs/${run}`;
    const collector = keep(createCollector({ ...parts, bus, blobs, pageUrl }));
    await collector.start();
    const door = keep(createClickHouseDoor({ ...parts, store }));
    await door.start();
    const dashboard = keep(createDashboard({ ...parts, bus, blobs, store, alerts, version }));
    await dashboard.start();
    httpPort = dashboard.port;
    return {
      ports: { http: dashboard.port, grpc: collector.port, clickhouse: door.port },
      pageUrl: `${pageOrigin(config, httpPort)}/`,
      localUrl: `${pageOrigin({ host: isEveryAddress(config.host) ? '127.0.0.1' : config.host, publicUrl: undefined }, httpPort)}/`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Only when ClickHouse is on its way: Nest and gRPC take longer to load than it takes to start. */
async function loadRooms() {
  // One after the other, they load no slower.
  const { createAlerts } = await import('#dashboard/alerts/index.js');
  const { createAnalyzer } = await import('#analyzer/index.js');
  const { createClickHouseDoor } = await import('#dashboard/clickhouse-door/index.js');
  const { createCollector } = await import('#collector/collector.js');
  const { createDashboard } = await import('#dashboard/index.js');
  return { createAlerts, createAnalyzer, createClickHouseDoor, createCollector, createDashboard };
}

async function restoreBus(path: string, copiesFolder: string, logger: Logger): Promise<void> {
  const restored = await restoreFromCopy(path, copiesFolder);
  if (restored === undefined) {
    logger.warn('the file of the bus is whole: nothing was restored');
    return;
  }
  const { copy, aside } = restored;
  logger.warn({ copy: copy.path, fromMs: copy.timeMs, aside }, 'the bus goes on from a copy of it');
}

function openStore(
  config: Config,
  options: StartOptions & { readonly heldRows: boolean; readonly logger: Logger; readonly metrics: Metrics },
): Promise<Store> {
  const { url, memoryBytes } = config.clickhouse;
  if (url !== undefined) return openServerStore({ ...options, url });
  return openEmbeddedStore({ ...options, path: dataPaths(config.dataDir).clickhouse, memoryBytes });
}
