import { Agent, type AgentOptions } from 'node:http';
import { ClickHouseLogLevel, createClient, type ClickHouseClient, type ClickHouseSettings } from '@clickhouse/client';
import { database } from './database.js';
import type { ClassName } from './engine-process/classes.js';
import { readError } from './weather.js';

export type { ClickHouseClient } from '@clickhouse/client';

/** Where ClickHouse is: the process of the embedded engine, behind a socket, or a server. */
export type ClickHouseAddress =
  | { readonly kind: 'engine'; readonly socketPath: string }
  /** With user and password in it, as in `http://user:password@host:8123`. */
  | { readonly kind: 'server'; readonly url: string };

/** Longer than any statement of the house: a mutation waits for all parts of a table. */
const longestMs = 15 * 60_000;
const idleSocketMs = 60_000;

/** Text floats are parsed to the nearest double, as they were printed. */
const writing: ClickHouseSettings = { precise_float_parsing: 1 };
/** What is kept of a part is no repetition of anything, and may lie in any number of windows. */
const erasing: ClickHouseSettings = {
  max_threads: 1,
  max_insert_threads: '1',
  max_partitions_per_insert_block: '0',
  insert_deduplicate: 0,
};
const reading: ClickHouseSettings = { output_format_json_quote_denormals: 1, output_format_json_quote_64bit_integers: 0 };
/** The house asks for these wherever the database is. */
const ownSettings: Partial<Record<ClassName, ClickHouseSettings>> = { writer: writing, eraser: erasing, page: reading };
/** What the process of the engine sets by itself for its users, a server is told with each statement. */
const bounds: Readonly<Record<ClassName, ClickHouseSettings>> = {
  writer: writing,
  eraser: erasing,
  page: { ...reading, allow_ddl: 0, max_execution_time: 60, readonly: '2' },
  gate: { max_execution_time: 5, max_threads: 1, allow_ddl: 0, readonly: '2' },
  foreign: {
    max_memory_usage: '536870912',
    max_untracked_memory: String(4 * 1024 ** 2),
    max_threads: 2,
    allow_ddl: 0,
    readonly: '2',
  },
};

/** The official client, for statements of one kind. Strangers say with each query in which database it is. */
export function openClient(address: ClickHouseAddress, className: ClassName, home?: string): ClickHouseClient {
  const common = {
    database: home ?? (className in ownSettings ? database : 'default'),
    request_timeout: longestMs,
    keep_alive: { enabled: true, idle_socket_ttl: idleSocketMs },
    use_multipart_params_auto: false,
    // Every error reaches whoever asked.
    log: { level: ClickHouseLogLevel.OFF },
    compression: { request: false, response: false },
  };
  if (address.kind === 'server') {
    return createClient({ ...common, url: address.url, clickhouse_settings: bounds[className] });
  }
  return createClient({
    ...common,
    url: 'http://engine',
    // Of this client alone, which ends it when it is closed.
    http_agent: new Agent({ keepAlive: true, socketPath: address.socketPath } as AgentOptions),
    username: className,
    clickhouse_settings: ownSettings[className] ?? {},
  });
}

/** Reads of the house. When the database is away they say so at once. */
export class Reader {
  constructor(private readonly client: ClickHouseClient) {}

  /** Rows of a query, positional. NaN and infinities come as strings, see `readFloat`. */
  async rows(query: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<readonly (readonly unknown[])[]> {
    try {
      const result = await this.client.query({ query, query_params: { ...parameters }, format: 'JSONCompactEachRow' });
      return await result.json<unknown[]>();
    } catch (error) {
      throw readError(error);
    }
  }
}
