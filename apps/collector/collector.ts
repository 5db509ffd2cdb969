import 'reflect-metadata';
import type { DynamicModule, INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Blobs } from '#blobs/blobs.js';
import type { Bus } from '#bus/bus.js';
import type { Config } from '#runtime/config.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { pageOrigin } from '#runtime/page-origin.js';
import { IngestController } from './ingest.controller.js';
import { IngestService, type IngestOptions, type PageUrl } from './ingest.service.js';
import { Readiness } from './readiness.js';
import { CollectorTransport } from './transport.js';

export interface CollectorOptions {
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly config: Pick<Config, 'host' | 'ports' | 'limits' | 'graphs' | 'lostAfterMs' | 'token' | 'publicUrl'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Where people look at a run; by default the public address, or a page on the HTTP port of the host that can be reached. */
  readonly pageUrl?: PageUrl;
}

/** The gRPC door of the service. */
export interface Collector {
  start(): Promise<void>;
  /** Refuses what is new, makes durable and acknowledges what came, ends every stream, closes the port. */
  close(): Promise<void>;
  /** The bound port; 0 before `start`. */
  readonly port: number;
  /** Ends the streams of a run and removes what this room keeps of it; messages and blobs are the caller's to remove. */
  forgetRun(runId: string): Promise<void>;
}

/** A message is a chunk or a batch and a little more around it. */
const messageMarginBytes = 64 * 1024;
/** Time for the last statuses to reach their clients. */
const lingerMs = 2000;

class CollectorModule {
  static with(service: IngestService): DynamicModule {
    return {
      module: CollectorModule,
      controllers: [IngestController],
      providers: [{ provide: IngestService, useValue: service }],
    };
  }
}

export function createCollector(options: CollectorOptions): Collector {
  const { bus, blobs, config, logger } = options;
  const host = config.host.includes(':') ? `[${config.host}]` : config.host;
  const ingest: IngestOptions = {
    ...options,
    pageUrl: options.pageUrl ?? ((runId, askedHost) => `${pageOrigin(config, config.ports.http, askedHost)}/runs/${runId}`),
  };
  const service = new IngestService(ingest);
  const readiness = new Readiness([bus, blobs], logger);
  const transport = new CollectorTransport({
    url: `${host}:${config.ports.grpc}`,
    maxMessageBytes: config.limits.messageBytes + messageMarginBytes,
    token: config.token,
    health: readiness.health,
  });
  let app: INestMicroservice | undefined;
  return {
    get port() {
      return transport.port;
    },
    start: async () => {
      await service.start();
      await readiness.start();
      app = await NestFactory.createMicroservice(CollectorModule.with(service), {
        strategy: transport,
        logger: false,
        abortOnError: false,
      });
      await app.listen();
      logger.info({ host, port: transport.port }, 'the collector takes probes');
    },
    close: async () => {
      await readiness.close();
      await service.close();
      await transport.drain(lingerMs);
      await app?.close();
    },
    forgetRun: (runId) => service.forget(runId),
  };
}
