import type { Blobs } from '#blobs/blobs.js';

const never = (): Promise<never> => Promise.reject(new Error('The dashboard does not touch blobs.'));

/** The dashboard only asks whether the blobs can be reached. */
export function memoryBlobs(check: () => Promise<void> = () => Promise.resolve()): Blobs {
  return {
    upload: never,
    stat: never,
    read: never,
    path: () => undefined,
    // oxlint-disable-next-line require-yield
    async *list() {
      await never();
    },
    delete: never,
    deletePrefix: never,
    beginCopy: never,
    adopt: never,
    check,
    close: () => Promise.resolve(),
  };
}
