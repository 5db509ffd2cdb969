import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileBlobs } from '#blobs/index.js';
import type { Blobs } from '#blobs/blobs.js';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { waitingBucket } from '#bus/messages.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { createAnalyzer, type Analyzer, type AnalyzerOptions } from '../analyzer.js';
import { FakeMeasurer } from './fake-measurer.js';
import { MemoryStore } from './memory-store.js';

/** A real bus and real blobs on a temporary folder, a store in memory, and an analyzer with a fake measurer. */
export class House {
  readonly folder = mkdtempSync(join(tmpdir(), 'stagewatch-analyzer-'));
  readonly store = new MemoryStore();
  readonly metrics = new Metrics();
  readonly logger = createLogger({ level: 'silent' });
  readonly config: AnalyzerOptions['config'] = {
    dataDir: this.folder,
    keepDays: 0,
    measuring: { processes: 1, deadlineMs: 60_000 },
    engine: { memoryBytes: 1, threads: 1 },
  };
  bus!: Bus;
  blobs!: Blobs;

  static async open(): Promise<House> {
    const house = new House();
    await house.openPorts();
    // Declared before anything is published, as the service does at its start.
    for (const group of ['ledger', 'judge']) await house.bus.group('records', group);
    return house;
  }

  async openPorts(): Promise<void> {
    this.bus = await openLmdbBus({ path: join(this.folder, 'bus') });
    this.blobs = await openFileBlobs({ path: join(this.folder, 'blobs'), reserveBytes: 0 });
  }

  async closePorts(): Promise<void> {
    await this.bus.close();
    await this.blobs.close();
  }

  analyzer(options: Partial<AnalyzerOptions> = {}): Analyzer {
    return createAnalyzer({
      config: this.config,
      bus: this.bus,
      blobs: this.blobs,
      store: this.store.asStore(),
      logger: this.logger,
      metrics: this.metrics,
      measurer: new FakeMeasurer(),
      ...options,
    });
  }

  /** Until both groups have finished everything on the bus, and nothing waits for its measurement. */
  async settled(bus = this.bus): Promise<void> {
    for (const name of ['ledger', 'judge']) {
      const group = await bus.group('records', name);
      while ((await group.depth()).messages > 0 || (await isWaiting(bus))) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async close(): Promise<void> {
    await this.closePorts();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function isWaiting(bus: Bus): Promise<boolean> {
  for await (const _ of bus.kv(waitingBucket).entries()) return true;
  return false;
}
