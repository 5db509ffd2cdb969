import { readConfig, type Config } from '#runtime/config.js';
import { UsageError, type Invocation, type OptionSpec } from './command.js';

/** Flags of the commands that start the service. */
export const serviceOptions = {
  data: { type: 'string', value: 'DIR', help: 'Data folder (STAGEWATCH_DATA; default ./stagewatch-data).' },
  host: {
    type: 'string',
    value: 'HOST',
    help: 'Address to listen on (default 127.0.0.1). Any other than loopback needs STAGEWATCH_TOKEN.',
  },
  'port-http': { type: 'string', value: 'N', help: 'Page and API (default 7580; 0 takes a free one).' },
  'port-grpc': { type: 'string', value: 'N', help: 'gRPC for probes (default 7581).' },
  'port-clickhouse': { type: 'string', value: 'N', help: 'ClickHouse-compatible HTTP, read-only (default 7582).' },
  'keep-days': { type: 'string', value: 'N', help: 'Remove runs that were last seen so many days ago (default 0: keep all).' },
  executor: { type: 'string', value: 'NAME', help: 'What measures: auto, or one that doctor finds (STAGEWATCH_EXECUTOR).' },
  'log-level': { type: 'string', value: 'LEVEL', help: 'trace, debug, info, warn, error or silent (default info).' },
} as const satisfies Record<string, OptionSpec>;

export function serviceConfig({ flags }: Invocation, defaults: Readonly<Record<string, string>> = {}): Config {
  const flag = (name: keyof typeof serviceOptions): string | undefined => flags[name] as string | undefined;
  let config: Config;
  try {
    config = readConfig(
      {
        STAGEWATCH_DATA: flag('data'),
        STAGEWATCH_HOST: flag('host'),
        STAGEWATCH_PORT_HTTP: flag('port-http'),
        STAGEWATCH_PORT_GRPC: flag('port-grpc'),
        STAGEWATCH_PORT_CLICKHOUSE: flag('port-clickhouse'),
        STAGEWATCH_KEEP_DAYS: flag('keep-days'),
        STAGEWATCH_LOG_LEVEL: flag('log-level'),
        STAGEWATCH_EXECUTOR: flag('executor'),
      },
      undefined,
      defaults,
    );
  } catch (error) {
    throw new UsageError(`a setting is not valid: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isLoopback(config.host) && config.token === undefined) {
    throw new UsageError(
      `refusing to listen on ${config.host} without a token: set STAGEWATCH_TOKEN (at least 16 characters), or use 127.0.0.1`,
    );
  }
  return config;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
