import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { StagewatchError } from '#runtime/errors.js';
import { listCopies, newestWholeCopy } from '../copies/copy-files.js';
import { inspectFile, type FileReport } from './inspect.js';

export const busFileName = 'bus.mdb';

/**
 * Refuses a file that LMDB cannot open without danger, and the absence of one that was there; says what can be done.
 * Undefined for a bus that begins.
 */
export async function assertWhole(folder: string, copiesFolder: string | undefined): Promise<FileReport | undefined> {
  const path = join(folder, busFileName);
  const report = await inspectFile(path);
  if (report !== undefined && report.damage === undefined) return report;
  const hadOne = copiesFolder !== undefined && (await listCopies(copiesFolder)).length > 0;
  if (report === undefined && !hadOne) return undefined;
  const what = report === undefined ? `the bus file ${path} is missing` : `the bus file ${path} is damaged: ${report.damage}`;
  const remedy = await remedyFor(copiesFolder, report !== undefined);
  throw new StagewatchError('DATA_DAMAGED', `${what}. ${remedy}`, { value: path });
}

async function remedyFor(copiesFolder: string | undefined, isThere: boolean): Promise<string> {
  const copy = copiesFolder === undefined ? undefined : await newestWholeCopy(copiesFolder);
  if (copy === undefined) {
    const kept =
      copiesFolder !== undefined && existsSync(copiesFolder) ? 'No copy that is whole was found' : 'There is no copy of it';
    return `${kept}; restore a backup ('stagewatch restore'), or move the file away: then runs that are in ClickHouse stay, and the bus begins empty`;
  }
  const aside = isThere ? 'sets the damaged file aside and ' : '';
  return (
    `'stagewatch up --restore-bus' ${aside}goes on from the copy of ${new Date(copy.timeMs).toISOString()} (${copy.path}): ` +
    'what was received since then and had not been written to ClickHouse is lost, and is told as a gap of its run'
  );
}

/** For a person who asks how the file is; nobody may have it open. */
export async function describeFile(
  folder: string,
  copiesFolder: string,
): Promise<{ readonly ok: boolean; readonly detail: string }> {
  const copies = await listCopies(copiesFolder);
  const kept = copies.map(({ timeMs }) => new Date(timeMs).toISOString()).join(', ') || 'none';
  try {
    const report = await assertWhole(folder, copiesFolder);
    if (report === undefined) return { ok: true, detail: 'nothing is stored here yet' };
    const { bytes, usedBytes } = report;
    return { ok: true, detail: `whole: ${usedBytes} of ${bytes} bytes are in use; copies of ${kept}` };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
