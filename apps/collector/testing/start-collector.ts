import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileBlobs } from '#blobs/index.js';
import type { Blobs } from '#blobs/blobs.js';
import { openLmdbBus } from '#bus/index.js';
import type { Bus, Message } from '#bus/bus.js';
import { readConfig } from '#runtime/config.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import { decodeEnvelope } from '#wire/envelope.js';
import type { Envelope } from '#wire/generated/messages.js';
import { createCollector, type Collector } from '../collector.js';

export interface TestCollector {
  readonly collector: Collector;
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly metrics: Metrics;
  readonly address: string;
  readonly dataDir: string;
  client(token?: string): IngestClient;
  /** Everything on the stream `records`, decoded. */
  records(): Promise<{ readonly message: Message; readonly envelope: Envelope }[]>;
  /** Closes the collector, its bus and its blobs; the data stay. */
  stop(): Promise<void>;
  /** Stops, and removes the data. */
  remove(): Promise<void>;
}

export interface TestOptions {
  readonly dataDir?: string;
  readonly environment?: { readonly [name: string]: string };
  readonly port?: number;
  /** Stands between the collector and its ports, for faults. */
  readonly wrap?: (ports: { bus: Bus; blobs: Blobs }) => { bus: Bus; blobs: Blobs };
}

/** The real collector over the real embedded bus and blobs, in a folder of its own. */
export async function startCollector(options: TestOptions = {}): Promise<TestCollector> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'collector-')));
  const bus = await openLmdbBus({ path: join(dataDir, 'bus') });
  // Nobody works through the records here: a group keeps them.
  await bus.group('records', 'test');
  const blobs = await openFileBlobs({ path: join(dataDir, 'blobs') });
  const metrics = new Metrics();
  const config = readConfig({ STAGEWATCH_PORT_GRPC: String(options.port ?? 0), ...options.environment }, {});
  const ports = options.wrap?.({ bus, blobs }) ?? { bus, blobs };
  const collector = createCollector({ ...ports, config, metrics, logger: createLogger({ level: 'silent' }) });
  await collector.start();
  const address = `127.0.0.1:${collector.port}`;
  const clients: IngestClient[] = [];
  const stop = async (): Promise<void> => {
    for (const client of clients.splice(0)) client.close();
    await collector.close();
    await bus.close();
    await blobs.close();
  };
  return {
    collector,
    bus,
    blobs,
    metrics,
    address,
    dataDir,
    client: (token) => {
      const client = createIngestClient({ address, token });
      clients.push(client);
      return client;
    },
    records: async () => {
      const head = await bus.head('records');
      const found = [];
      if (head === 0) return [];
      for await (const message of bus.tail('records', { after: 0 })) {
        found.push({ message, envelope: decodeEnvelope(message.body) });
        if (message.position >= head) break;
      }
      return found;
    },
    stop,
    remove: async () => {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
