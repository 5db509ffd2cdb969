import { once } from 'node:events';
import { exitCodes, type Command } from '../command.js';
import type { Service } from '../service.js';
import { serviceConfig, serviceOptions } from '../service-options.js';
import type { Config } from '#runtime/config.js';

export const upCommand: Command = {
  name: 'up',
  usage: '[OPTIONS]',
  summary: 'Start the whole service on a data folder.',
  description: 'Runs until Ctrl-C; then everything that was received is made durable. A second Ctrl-C forces the end.',
  options: {
    ...serviceOptions,
    'restore-bus': {
      type: 'boolean',
      help: 'When the file of the bus is damaged or missing: set it aside, and go on from the newest copy.',
    },
    'accept-data-loss': {
      type: 'boolean',
      help: 'Go on when rows of the store are lost: without them, or with an empty store where its folder is gone.',
    },
  },
  maxPositionals: 0,
  async run(invocation) {
    const { io, flags } = invocation;
    const config = serviceConfig(invocation);
    const startedMs = performance.now();
    // Only here: the commands that ask a running service should not wait for Nest and gRPC to load.
    const { startService } = await import('../service.js');
    const service = await startService(config, {
      acceptDataLoss: flags['accept-data-loss'] === true,
      restoreBus: flags['restore-bus'] === true,
    });
    io.out(announcement(service, config, performance.now() - startedMs));
    if (!io.signal.aborted) await once(io.signal, 'abort');
    await service.close();
    return exitCodes.ok;
  },
};

export function announcement(service: Service, config: Config, tookMs: number): string {
  return [
    `Stagewatch is ready (${(tookMs / 1000).toFixed(1)} s)`,
    `  page and API    ${service.pageUrl}`,
    `  probes (gRPC)   ${config.host}:${service.ports.grpc}`,
    `  ClickHouse HTTP ${config.host}:${service.ports.clickhouse} (read-only)`,
    `  data            ${config.dataDir}`,
    '',
  ].join('\n');
}
