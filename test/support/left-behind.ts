import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';

/** Files under a folder in whose names or bytes a text stands. */
export function filesWith(folder: string, text: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((name) => name.includes(text) || holds(name, text));
}

function holds(file: string, text: string): boolean {
  try {
    return readFileSync(file).includes(text);
  } catch (error) {
    // Removed since the folder was read.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** Entries of the bus in which a text stands: messages, states, keys, whatever it keeps. */
export function busEntriesWith(path: string, text: string): string[] {
  const root = open<Buffer, Buffer>({
    path,
    noSubdir: true,
    readOnly: true,
    maxDbs: 16,
    keyEncoding: 'binary',
    encoding: 'binary',
  });
  const names = Array.from(root.getKeys(), (name) => String(name).replace('\0', ''));
  const found = names.flatMap((name) =>
    Array.from(root.openDB<Buffer, Buffer>(name, { keyEncoding: 'binary', encoding: 'binary' }).getRange())
      .filter(({ key, value }) => key.includes(text) || value.includes(text))
      .map(({ key, value }) => `${name}: ${printable(key)} ${printable(value)}`),
  );
  void root.close();
  return found;
}

const printable = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replace(/[^ -~]/g, '')
    .slice(0, 100);
