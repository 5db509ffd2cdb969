import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Blobs } from '#blobs/blobs.js';
import { streams, type Bus } from '#bus/bus.js';
import { StagewatchError } from '#runtime/errors.js';
import { tableNames, type TableName } from '#store/rows.js';
import type { Store } from '#store/store.js';
import { digestOf, format, manifestName, type BackupFile, type Manifest } from './manifest.js';

export interface BackupParts {
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly store: Store;
  readonly version: string;
  /** One line for a person. */
  readonly progress: (text: string) => void;
}

export const busCopyPath = 'bus/bus.mdb';
export const tablePath = (table: TableName): string => `clickhouse/${table}.jsonl.gz`;
export const blobsPath = 'blobs';

const sayEveryMs = 2000;

/**
 * Copies the three stores to an empty folder, as of one position of the bus, while everything goes on. The bus is copied at once. What
 * it had finished by then had been written to ClickHouse before, and is in the tables that are read after; what it had not
 * is done again after a restore, and rows that are there already stay one. Blobs that the copy of the bus still needs and that are
 * deleted before their turn comes are kept from that moment on.
 */
export async function createBackup(folder: string, parts: BackupParts): Promise<Manifest> {
  await assertEmpty(folder);
  const { bus, blobs, store, version, progress } = parts;
  const files: BackupFile[] = [];
  const add = async (path: string): Promise<void> => {
    files.push({ path, ...(await digestOf(join(folder, path))) });
  };
  for (const each of ['bus', 'clickhouse', blobsPath]) await mkdir(join(folder, each), { recursive: true });
  const blobsCopy = await blobs.beginCopy(join(folder, blobsPath));
  try {
    const createdMs = Date.now();
    const heads: Record<string, number> = {};
    for (const stream of Object.keys(streams)) heads[stream] = await bus.head(stream);
    await bus.copyTo(join(folder, busCopyPath));
    await add(busCopyPath);
    progress(`bus: ${files[0]!.bytes} bytes, up to record ${heads['records']}`);
    for (const table of tableNames) {
      const rows = await writeTable(store, table, join(folder, tablePath(table)), progress);
      await add(tablePath(table));
      progress(`${table}: ${rows} rows`);
    }
    const say = nowAndThen(progress);
    let count = 0;
    for await (const { name } of blobsCopy.finish()) {
      await add(`${blobsPath}/${name}`);
      say(`blobs: ${++count}`);
    }
    progress(`blobs: ${count}`);
    for (const { path } of files) await sync(join(folder, path));
    const manifest: Manifest = { format, version, createdMs, heads, files };
    await writeFile(join(folder, manifestName), `${JSON.stringify(manifest, null, 1)}\n`);
    await sync(join(folder, manifestName));
    return manifest;
  } finally {
    blobsCopy.close();
  }
}

async function assertEmpty(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length === 0) return;
  throw new StagewatchError('INVALID_ARGUMENT', `${folder} is not empty: a backup needs a folder of its own`, {
    field: 'folder',
    value: folder,
    expected: 'an empty folder, or one that does not exist',
  });
}

async function writeTable(store: Store, table: TableName, path: string, progress: (text: string) => void): Promise<number> {
  let rows = 0;
  const say = nowAndThen(progress);
  async function* lines(): AsyncGenerator<string> {
    for await (const page of store.exportTable(table)) {
      rows += page.rows;
      say(`${table}: ${rows} rows`);
      yield page.lines;
    }
  }
  await pipeline(Readable.from(lines(), { highWaterMark: 1 }), createGzip({ level: 1 }), createWriteStream(path));
  return rows;
}

function nowAndThen(say: (text: string) => void): (text: string) => void {
  let lastMs = performance.now();
  return (text) => {
    if (performance.now() - lastMs < sayEveryMs) return;
    lastMs = performance.now();
    say(text);
  };
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
