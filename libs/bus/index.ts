export { openLmdbBus } from './lmdb/open.js';
export { restoreFromCopy } from './lmdb/copies/restore-copy.js';
