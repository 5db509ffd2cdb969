import type { Blobs } from '#blobs/blobs.js';
import { crc32 } from '#wire/checksum.js';

export async function writeBlob(blobs: Blobs, name: string, bytes: Uint8Array): Promise<void> {
  const upload = await blobs.upload(name, bytes.byteLength);
  try {
    if (upload.complete) return;
    const rest = bytes.subarray(upload.durableBytes);
    if (rest.byteLength > 0) await upload.write(upload.durableBytes, rest);
    await upload.commit(crc32(bytes));
  } finally {
    await upload.close();
  }
}
