export { openLmdbBus, type LmdbBusOptions } from './lmdb/open.js';
