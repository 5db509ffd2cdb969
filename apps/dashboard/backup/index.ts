export { blobsPath, busCopyPath, createBackup, tablePath } from './create-backup.js';
export { readManifest, verify } from './manifest.js';
