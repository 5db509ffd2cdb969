export { openFileBlobs } from './files/file-blobs.js';
