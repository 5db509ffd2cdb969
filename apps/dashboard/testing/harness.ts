import { mkdtempSync, mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '#bus/bus.js';
import { readConfig, type Environment } from '#runtime/config.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import type { Store } from '#store/store.js';
import { createDashboard } from '../dashboard.js';
import type { DashboardOptions } from '../options.js';
import { memoryBlobs } from './memory-blobs.js';
import { MemoryBus } from './memory-bus.js';
import { MemoryStore } from './memory-store.js';

export interface Harness {
  readonly bus: Bus;
  readonly store: Store;
  readonly metrics: Metrics;
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A real dashboard on a free port, with parts in memory where none are given. */
export async function startDashboard(parts: Partial<DashboardOptions> = {}, environment: Environment = {}): Promise<Harness> {
  const pageDir = parts.pageDir ?? mkdtempSync(join(tmpdir(), 'stagewatch-page-'));
  if (parts.pageDir === undefined) {
    writeFileSync(join(pageDir, 'index.html'), '<!doctype html><title>test page</title>');
    mkdirSync(join(pageDir, 'assets'));
    writeFileSync(join(pageDir, 'assets/a.js'), 'export {};');
  }
  const metrics = new Metrics();
  const bus = parts.bus ?? new MemoryBus();
  const store = parts.store ?? new MemoryStore();
  const config = readConfig({ STAGEWATCH_PORT_HTTP: '0', ...environment }, {});
  const dashboard = createDashboard({
    blobs: memoryBlobs(),
    config,
    logger: createLogger({ level: 'silent' }),
    metrics,
    ...parts,
    bus,
    store,
    pageDir,
  });
  await dashboard.start();
  return {
    bus,
    store,
    metrics,
    port: dashboard.port,
    url: `http://127.0.0.1:${dashboard.port}`,
    async close() {
      await dashboard.close();
      if (parts.pageDir === undefined) await rm(pageDir, { recursive: true, force: true });
    },
  };
}
