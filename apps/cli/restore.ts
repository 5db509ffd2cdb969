import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { openFileBlobs } from '#blobs/index.js';
import { putInPlace } from '#bus/index.js';
import { blobsPath, busCopyPath, readManifest, tablePath, verify } from '#dashboard/backup/index.js';
import { StagewatchError } from '#runtime/errors.js';
import { openEmbeddedStore } from '#store/index.js';
import { tableNames, type TableName } from '#store/rows.js';
import type { Store } from '#store/store.js';
import { dataPaths } from './data-paths.js';

const batchBytes = 4 * 1024 ** 2;

/**
 * Makes a data folder out of a backup. Every file is compared with its checksum before anything is written; the folder
 * appears under its name when it is complete.
 */
export async function restore(backup: string, dataDir: string, progress: (text: string) => void): Promise<void> {
  const manifest = await readManifest(backup);
  await assertFree(dataDir);
  progress(`comparing ${manifest.files.length} files with their checksums`);
  await verify(backup, manifest, () => undefined);
  const work = join(dirname(dataDir), `.${basename(dataDir)}.restoring`);
  await rm(work, { recursive: true, force: true });
  const paths = dataPaths(work);
  await mkdir(paths.bus, { recursive: true });
  await putInPlace(join(backup, busCopyPath), paths.bus);
  progress('bus: done');
  await restoreBlobs(backup, manifest.files, paths.blobs, progress);
  const store = await openEmbeddedStore({ path: paths.clickhouse });
  try {
    for (const table of tableNames)
      progress(`${table}: ${await restoreTable(store, table, join(backup, tablePath(table)))} rows`);
  } finally {
    await store.close();
  }
  await rmdir(dataDir).catch(() => undefined);
  await rename(work, dataDir);
}

async function assertFree(dataDir: string): Promise<void> {
  const found = await readdir(dataDir).catch(() => []);
  if (found.length === 0) return;
  throw new StagewatchError('INVALID_ARGUMENT', `${dataDir} is not empty: choose another folder with --data`, {
    field: 'data',
    value: dataDir,
    expected: 'an empty folder, or one that does not exist',
  });
}

async function restoreBlobs(
  backup: string,
  files: readonly { readonly path: string }[],
  path: string,
  progress: (text: string) => void,
): Promise<void> {
  const blobs = await openFileBlobs({ path });
  let count = 0;
  try {
    for (const file of files) {
      if (!file.path.startsWith(`${blobsPath}/`)) continue;
      await blobs.adopt(file.path.slice(blobsPath.length + 1), join(backup, file.path));
      count++;
    }
  } finally {
    await blobs.close();
  }
  progress(`blobs: ${count}`);
}

async function restoreTable(store: Store, table: TableName, path: string): Promise<number> {
  const lines = createInterface({ input: createReadStream(path).pipe(createGunzip()), crlfDelay: Infinity });
  let rows = 0;
  let batch: string[] = [];
  let bytes = 0;
  const send = async (): Promise<void> => {
    if (batch.length > 0) await store.importLines(table, `${batch.join('\n')}\n`);
    batch = [];
    bytes = 0;
  };
  for await (const line of lines) {
    rows++;
    batch.push(line);
    bytes += line.length;
    if (bytes >= batchBytes) await send();
  }
  await send();
  return rows;
}
