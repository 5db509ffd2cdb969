import { crc32 } from '#wire/checksum.js';
import type { IngestClient } from '#wire/client.js';
import type { BlobHeader, UploadBlobResponse } from '#wire/generated/messages.js';

/**
 * Uploads one blob, from where the service says, with back-pressure; answers its name. Rejects with the call's error:
 * the same call again goes on at the last durable byte.
 */
export function uploadBlob(
  client: IngestClient,
  header: Omit<BlobHeader, 'totalBytes'>,
  data: Buffer,
  options: { readonly chunkBytes: number; readonly idleMs: number },
): Promise<string> {
  const { chunkBytes, idleMs } = options;
  const call = client.uploadBlob();
  let idle: NodeJS.Timeout | undefined;
  const alive = (): void => {
    clearTimeout(idle);
    idle = setTimeout(() => call.cancel(), idleMs);
  };
  const send = async (from: number): Promise<void> => {
    for (let offset = from; offset < data.length && call.writable; offset += chunkBytes) {
      const chunk = data.subarray(offset, offset + chunkBytes);
      alive();
      if (!call.write({ chunk: { offset, crc32: crc32(chunk), data: chunk } })) {
        await new Promise<void>((resolve) => {
          call.once('drain', resolve);
          call.once('close', resolve);
        });
      }
    }
    if (call.writable) call.write({ end: { crc32: crc32(data) } });
    alive();
  };
  return new Promise<string>((resolve, reject) => {
    let started = false;
    call.on('data', ({ durableBytes, blob }: UploadBlobResponse) => {
      alive();
      if (blob !== '') {
        resolve(blob);
        call.end();
      } else if (!started) {
        started = true;
        send(durableBytes).catch(reject);
      }
    });
    call.on('error', reject);
    call.on('end', () => reject(new Error('the upload ended before its answer')));
    alive();
    call.write({ header: { ...header, totalBytes: data.length } });
  }).finally(() => clearTimeout(idle));
}
