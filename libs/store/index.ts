import { EmbeddedStore, type EmbeddedStoreOptions } from './embedded-store.js';
import type { Store } from './store.js';

/** Opens ClickHouse inside this process on a folder of its own, creating or migrating what is there. */
export function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  return EmbeddedStore.open(options);
}
