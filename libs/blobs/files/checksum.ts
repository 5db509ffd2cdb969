import { crc32 } from 'node:zlib';
import type { FileHandle } from 'node:fs/promises';

const mib = 1024 * 1024;
export const readBytes = 8 * mib;

/** CRC-32 of the first `bytes` of a file. */
export async function checksum(file: FileHandle, bytes: number): Promise<number> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, Math.max(1, bytes)));
  let sum = 0;
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at);
    if (bytesRead === 0) throw new Error(`a file of ${bytes} bytes ended at ${at}`);
    sum = crc32(buffer.subarray(0, bytesRead), sum);
    at += bytesRead;
  }
  return sum;
}
