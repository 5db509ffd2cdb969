import { mkdir, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '#runtime/sync.js';
import { StorageFull } from '../blobs.js';

const fullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const missingCodes = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

export function isMissing(error: unknown): boolean {
  return missingCodes.has(codeOf(error));
}

/** ENOSPC and its kin as the error of the port. */
export function translate(error: unknown): unknown {
  return fullCodes.has(codeOf(error)) ? new StorageFull('no space left for blobs', { cause: error }) : error;
}

/** Makes a folder and its parents durably. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let made = path; ; made = dirname(made)) {
    await syncFolder(dirname(made));
    if (made === first) return;
  }
}

/** Throws {@link StorageFull} when the disk has less than `bytes` left. */
export async function assertRoom(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  if (bavail * bsize < bytes) throw new StorageFull(`less than ${bytes} bytes left on the disk of the blobs`);
}
