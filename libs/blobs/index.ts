export { openFileBlobs, type FileBlobsOptions } from './files/file-blobs.js';
