import { expect, it } from 'vitest';
import { BlobMissing, type Blobs } from '#blobs/blobs.js';
import { createLogger } from '#runtime/logging.js';
import { TrackerCache } from './tracker-cache.js';

const blobs = { read: (name: string) => Promise.reject(new BlobMissing(name)) } as unknown as Blobs;
const tracker = (run: string, bytes: number): { blob: string; bytes: Uint8Array } => ({
  blob: `of ${run}`,
  bytes: new Uint8Array(bytes),
});

async function heldOf(cache: TrackerCache, runs: readonly string[]): Promise<readonly string[]> {
  const read = await Promise.all(runs.map((run) => cache.read(run, { blob: `of ${run}`, step: 1 })));
  return runs.filter((_, i) => read[i] !== undefined);
}

it('tracker cache - holds so many bytes; those of the run that was measured longest ago go, and the newest never', async () => {
  const cache = new TrackerCache(blobs, createLogger({ level: 'silent' }), 0, 100);
  for (const run of ['a', 'b', 'c']) cache.keep(run, tracker(run, 40));
  expect(await heldOf(cache, ['a', 'b', 'c'])).toEqual(['b', 'c']);
  cache.keep('b', tracker('b', 50));
  expect(await heldOf(cache, ['b', 'c'])).toEqual(['b', 'c']);
  cache.keep('d', tracker('d', 500));
  expect(await heldOf(cache, ['b', 'c', 'd'])).toEqual(['d']);
  cache.forget('d');
  cache.keep('e', tracker('e', 100));
  cache.keep('f', tracker('f', 0));
  expect(await heldOf(cache, ['d', 'e', 'f'])).toEqual(['e', 'f']);
});
