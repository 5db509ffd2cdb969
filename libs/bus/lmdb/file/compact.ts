import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import type { Logger } from '#runtime/logging.js';
import { inspectFile, type FileReport } from './inspect.js';
import { syncFile, syncFolder } from '#runtime/sync.js';
import { busFileName } from './whole-file.js';

/** Smaller files are left as they are: their free pages are soon used again. */
const worthBytes = 64 * 1024 ** 2;

/**
 * LMDB uses pages again and never gives any back. After a backlog has been worked off, the file is written anew without
 * its free pages, when these are more than half of it. Nobody may have it open.
 */
export async function compactFile(folder: string, report: FileReport, logger: Logger | undefined): Promise<void> {
  if (report.freeBytes <= report.bytes / 2 || report.freeBytes < worthBytes) return;
  const path = join(folder, busFileName);
  const part = join(folder, 'compacted.mdb');
  try {
    await rm(part, { force: true });
    await writeCompact(path, part);
    await syncFile(part);
    const after = await inspectFile(part);
    if (after?.damage !== undefined) throw new Error(`the compacted file is damaged: ${after.damage}`);
    await rename(part, path);
    await rm(`${path}-lock`, { force: true });
    await syncFolder(folder);
    logger?.info({ beforeBytes: report.bytes, afterBytes: after?.bytes }, 'the file of the bus was compacted');
  } catch (error) {
    // It serves as it is, only larger; a full disk is the usual reason.
    logger?.warn({ err: error }, 'the file of the bus could not be compacted');
    await rm(part, { force: true });
  }
}

async function writeCompact(path: string, to: string): Promise<void> {
  const root = open({ path, noSubdir: true, readOnly: true, keyEncoding: 'binary', encoding: 'binary', overlappingSync: false });
  try {
    await root.backup(to, true);
  } finally {
    await root.close();
  }
}
