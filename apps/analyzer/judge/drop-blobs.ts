import type { Blobs } from '#blobs/blobs.js';
import type { Logger } from '#runtime/logging.js';

export interface DropOptions {
  readonly blobs: Blobs;
  readonly logger: Logger;
  readonly keepSnapshots: boolean;
}

/** Removes blobs that a committed memory does not need. Those that are gone already are passed over. */
export async function dropBlobs({ blobs, logger, keepSnapshots }: DropOptions, names: readonly string[]): Promise<void> {
  const needless = keepSnapshots ? names.filter((name) => name.includes('/tracker/')) : names;
  await Promise.all(
    needless.map(async (blob) => {
      try {
        await blobs.delete(blob);
      } catch (error) {
        logger.warn({ err: error, blob }, 'cannot remove a blob that is not needed any more');
      }
    }),
  );
}
