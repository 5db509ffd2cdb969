import { constants } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StagewatchError } from '#runtime/errors.js';
import { inspectFile } from '../file/inspect.js';
import { skipPositions } from '../file/skip-positions.js';
import { syncFile, syncFolder } from '#runtime/sync.js';
import { busFileName } from '../file/whole-file.js';
import { newestWholeCopy, type BusCopy } from './copy-files.js';

/** What going back to a copy did. */
export interface RestoredBus {
  readonly copy: BusCopy;
  /** Where the damaged file is now; undefined when there was none. */
  readonly aside: string | undefined;
}

/**
 * Puts a damaged bus file aside and the newest whole copy in its place. Undefined when the file is whole: then nothing is
 * done. Nobody may have the bus open.
 */
export async function restoreFromCopy(folder: string, copiesFolder: string): Promise<RestoredBus | undefined> {
  const path = join(folder, busFileName);
  const report = await inspectFile(path);
  if (report !== undefined && report.damage === undefined) return undefined;
  const copy = await newestWholeCopy(copiesFolder);
  if (copy === undefined) {
    throw new StagewatchError('DATA_DAMAGED', `there is no whole copy of the bus in ${copiesFolder}`, { value: copiesFolder });
  }
  await mkdir(folder, { recursive: true });
  const aside = report === undefined ? undefined : join(folder, `damaged-${Date.now()}.mdb`);
  if (aside !== undefined) await rename(path, aside);
  await putInPlace(copy.path, folder);
  return { copy, aside };
}

/** A copy of a bus becomes the bus of a folder that has none. */
export async function putInPlace(source: string, folder: string): Promise<void> {
  const work = join(folder, 'restoring');
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  await copyFile(source, join(work, busFileName), constants.COPYFILE_FICLONE);
  await skipPositions(work);
  await syncFile(join(work, busFileName));
  await rm(join(folder, `${busFileName}-lock`), { force: true });
  await rename(join(work, busFileName), join(folder, busFileName));
  await rm(work, { recursive: true, force: true });
  await syncFolder(folder);
}
