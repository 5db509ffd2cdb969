export { checkBlobs } from './files/check-blobs.js';
export { openFileBlobs } from './files/file-blobs.js';
