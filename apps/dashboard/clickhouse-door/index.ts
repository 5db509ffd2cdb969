import type { Config } from '#runtime/config.js';
import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import type { Store } from '#store/store.js';
import { ClickHouseDoor } from './door.js';

export interface ClickHouseDoorOptions {
  readonly store: Pick<Store, 'query'>;
  readonly config: Pick<Config, 'host' | 'ports' | 'token' | 'publicUrl'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * ClickHouse's HTTP interface over the store, read-only, for tools that were made for ClickHouse. Nothing listens before
 * `start`; `port` is the port in use after it.
 */
export function createClickHouseDoor(options: ClickHouseDoorOptions): ClickHouseDoor {
  return new ClickHouseDoor(options);
}
