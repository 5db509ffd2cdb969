import { open, type FileHandle } from 'node:fs/promises';
import type { RangeReader } from './npz-header.js';

/** A file that is read part by part. Close it. */
export interface FileRange extends RangeReader {
  close(): Promise<void>;
}

export async function openRange(path: string): Promise<FileRange> {
  const file: FileHandle = await open(path, 'r');
  const { size } = await file.stat();
  return {
    bytes: size,
    read: async (offset, bytes) => {
      const target = Buffer.allocUnsafe(bytes);
      for (let at = 0; at < bytes;) {
        const { bytesRead } = await file.read(target, at, bytes - at, offset + at);
        if (bytesRead === 0) throw new Error(`the file ended at ${offset + at} of ${size} bytes`);
        at += bytesRead;
      }
      return target;
    },
    close: () => file.close(),
  };
}
