export { openLmdbBus } from './lmdb/open.js';
