import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds `proto/` and `package.json`, for sources and for what is built from them. */
export const packageRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'proto'))) return folder;
  const parent = dirname(folder);
  if (parent === folder)
    throw new Error('The installation is not complete: no folder above the code holds package.json and proto.');
  return findRoot(parent);
}
