import { mkdir, readdir, rename, stat, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { inspectFile } from '../file/inspect.js';
import { syncFile, syncFolder } from '#runtime/sync.js';

/** One copy of the bus: the file as it was at one commit. */
export interface BusCopy {
  readonly path: string;
  readonly timeMs: number;
  /** Of the file that it was made from. */
  readonly transaction: number;
  readonly bytes: number;
}

const pattern = /^bus-(\d{13,})-(\d+)\.mdb$/;

/** Newest first. */
export async function listCopies(folder: string): Promise<readonly BusCopy[]> {
  const copies: BusCopy[] = [];
  for (const name of await namesIn(folder)) {
    const [, timeMs, transaction] = pattern.exec(name) ?? [];
    if (timeMs === undefined) continue;
    const path = join(folder, name);
    copies.push({ path, timeMs: Number(timeMs), transaction: Number(transaction), bytes: (await stat(path)).size });
  }
  return copies.sort((a, b) => b.timeMs - a.timeMs);
}

/** The newest copy that is whole. */
export async function newestWholeCopy(folder: string): Promise<BusCopy | undefined> {
  for (const copy of await listCopies(folder)) if ((await inspectFile(copy.path))?.damage === undefined) return copy;
  return undefined;
}

/** Makes a copy with `write`, looks at it, and lets it appear under its name; then the oldest beyond `keep` go. */
export async function addCopy(
  folder: string,
  transaction: number,
  keep: number,
  write: (path: string) => Promise<void>,
): Promise<BusCopy> {
  await mkdir(folder, { recursive: true });
  const timeMs = Date.now();
  const path = join(folder, `bus-${timeMs}-${transaction}.mdb`);
  const part = `${path}.part`;
  for (const name of await namesIn(folder)) if (name.endsWith('.part')) await unlink(join(folder, name));
  try {
    await write(part);
    await syncFile(part);
    const report = await inspectFile(part);
    if (report?.damage !== undefined) throw new Error(`the copy ${basename(part)} is damaged: ${report.damage}`);
    await rename(part, path);
    await syncFolder(folder);
    for (const old of (await listCopies(folder)).slice(keep)) await unlink(old.path);
    return { path, timeMs, transaction, bytes: report?.bytes ?? 0 };
  } catch (error) {
    await unlink(part).catch(() => undefined);
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
