export { describeFile } from './lmdb/file/whole-file.js';
export { openLmdbBus } from './lmdb/open.js';
export { putInPlace, restoreFromCopy } from './lmdb/copies/restore-copy.js';
