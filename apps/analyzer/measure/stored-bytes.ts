import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blobs } from '#blobs/blobs.js';
import type { MeasureJob, StoredBytes } from './measurer.js';
import type { JobFiles } from './messages.js';

export function storedBlob(blobs: Blobs, name: string): StoredBytes {
  return { path: blobs.path(name), read: () => blobs.read(name) };
}

/**
 * Lends a job's bytes as files: blobs that are files where they are, everything else in a folder that is gone when the work is
 * over. Throws BlobMissing.
 */
export async function withFiles<T>(scratch: string, job: MeasureJob, work: (files: JobFiles) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(scratch, 'job-'));
  const fileOf = async (bytes: StoredBytes, name: string): Promise<string> => {
    if (bytes.path !== undefined) return bytes.path;
    const file = join(folder, name);
    await writeFile(file, await bytes.read());
    return file;
  };
  const { model, tracker } = job;
  try {
    return await work({
      snapshot: await fileOf(job.snapshot, 'snapshot'),
      graph: await fileOf(job.artifact(model.graphDigest), 'graph'),
      probeSet: model.train === null ? undefined : await fileOf(job.artifact(model.train.digest), 'probe-set'),
      tracker: tracker && (await fileOf({ path: undefined, read: () => Promise.resolve(tracker) }, 'tracker')),
      trackerAfter: join(folder, 'tracker-after'),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
