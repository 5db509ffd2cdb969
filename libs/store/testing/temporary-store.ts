import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../index.js';
import type { Store } from '../store.js';

/** A store on a folder that is removed with it. For tests. */
export async function openTemporaryStore(): Promise<{ readonly store: Store; readonly path: string; close(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-store-'));
  const store = await openEmbeddedStore({ path });
  return {
    store,
    path,
    close: async () => {
      await store.close();
      await rm(path, { recursive: true, force: true });
    },
  };
}

export async function readText(stream: AsyncIterable<Uint8Array | string>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(typeof part === 'string' ? Buffer.from(part) : part);
  return Buffer.concat(parts).toString('utf8');
}
