import { openFileBlobs } from '#blobs/index.js';
import { openLmdbBus } from '#bus/index.js';
import { createBackup } from '#dashboard/backup/index.js';
import { openEmbeddedStore } from '#store/index.js';
import { dataPaths } from './data-paths.js';

/** A backup of a data folder that no service runs on. */
export async function backupFolder(
  dataDir: string,
  folder: string,
  version: string,
  progress: (text: string) => void,
): Promise<{ readonly files: readonly { readonly bytes: number }[] }> {
  const paths = dataPaths(dataDir);
  const opened: { close(): Promise<void> }[] = [];
  try {
    const bus = await openLmdbBus({ path: paths.bus });
    opened.push(bus);
    const blobs = await openFileBlobs({ path: paths.blobs });
    opened.push(blobs);
    const store = await openEmbeddedStore({ path: paths.clickhouse });
    opened.push(store);
    return await createBackup(folder, { bus, blobs, store, version, progress });
  } finally {
    for (const part of opened.reverse()) await part.close();
  }
}
