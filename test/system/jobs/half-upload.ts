/**
 * A probe that is killed in the middle of a chunk: attaches, uploads, says how far it has got, and goes on slowly until
 * somebody ends it.
 *
 *     node dist/test/system/jobs/half-upload.js ADDRESS INSTANCE BYTES
 */
import { setTimeout as wait } from 'node:timers/promises';
import { crc32 } from '#wire/checksum.js';
import { createIngestClient } from '#wire/client.js';
import { blobBytes } from './blob-bytes.js';

const [address = '', instanceId = '', bytes = '0'] = process.argv.slice(2);
const data = blobBytes(Number(bytes));
const chunkBytes = 256 * 1024;

const client = createIngestClient({ address });
const { runId, attempt } = await client.attachRun({ instanceId, name: 'killed in a chunk' }, 10_000);
const call = client.uploadBlob();
call.on('error', () => process.exit(1));
const begun = new Promise((resolve) => call.once('data', resolve));
call.write({ header: { runId, attempt, instanceId, kind: 'BLOB_KIND_SNAPSHOT', key: 'half', totalBytes: data.length } });
await begun;
for (let offset = 0; offset < data.length; offset += chunkBytes) {
  const chunk = data.subarray(offset, offset + chunkBytes);
  call.write({ chunk: { offset, crc32: crc32(chunk), data: chunk } });
  process.stdout.write(`${offset + chunk.length}\n`);
  await wait(5);
}
