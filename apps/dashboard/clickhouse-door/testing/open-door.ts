import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import type { Store } from '#store/store.js';
import { openTemporaryStore } from '#store/testing/temporary-store.js';
import { createClickHouseDoor } from '../index.js';

export interface OpenDoor {
  readonly store: Store;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** A door on a free port of loopback, over a store of its own unless one is given. For tests. */
export async function openDoor(options: { readonly token?: string; readonly store?: Store } = {}): Promise<OpenDoor> {
  const temporary = options.store === undefined ? await openTemporaryStore() : undefined;
  const store = (options.store ?? temporary?.store)!;
  const door = createClickHouseDoor({
    store,
    config: { host: '127.0.0.1', ports: { grpc: 0, http: 0, clickhouse: 0 }, token: options.token, publicUrl: undefined },
    logger: createLogger({ level: 'silent' }),
    metrics: new Metrics(),
  });
  await door.start();
  return {
    store,
    port: door.port,
    url: `http://127.0.0.1:${door.port}`,
    close: async () => {
      await door.close();
      await temporary?.close();
    },
  };
}
