import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { packageRoot } from '../package-root.js';

/** What a confined child process may reach in the file system; of everything else it can learn no more than that it is there. */
export interface Reach {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

export type Confinement =
  | { readonly kind: 'landlock'; readonly abi: number }
  | { readonly kind: 'none'; readonly reason: string };

const outcomeKey = Symbol.for('stagewatch.confinement');

export const confineFile: string = join(packageRoot, 'dist/libs/runtime/processes/confine.cjs');

/** In a child process: what became of its confinement. */
export function ownConfinement(): Confinement {
  const outcome = (globalThis as Record<symbol, unknown>)[outcomeKey] as Confinement | undefined;
  return outcome ?? { kind: 'none', reason: 'the process was started without it' };
}

/** What any program of ours reads while it runs: its code, the libraries of the system, and what the kernel says of this process. */
export const programFiles: readonly string[] = [
  join(packageRoot, 'dist'),
  join(packageRoot, 'proto'),
  join(packageRoot, 'package.json'),
  ...moduleFolders(packageRoot),
  '/lib',
  '/lib64',
  '/usr/lib',
  '/usr/lib64',
  '/usr/local/lib',
  '/etc/ld.so.cache',
  '/proc/self',
  '/proc/cpuinfo',
  '/proc/meminfo',
  '/proc/stat',
  '/sys/devices/system',
  '/sys/fs/cgroup',
  '/dev/null',
  '/dev/urandom',
];

/** Where packages may lie: beside the code, or above it when we are a package ourselves. */
function moduleFolders(folder: string): readonly string[] {
  const here = join(folder, 'node_modules');
  const above = dirname(folder) === folder ? [] : moduleFolders(dirname(folder));
  return existsSync(here) ? [here, ...above] : above;
}

export function describeConfinement(confinement: Confinement): string {
  return confinement.kind === 'landlock'
    ? `confined by Landlock (version ${confinement.abi})`
    : `not confined: ${confinement.reason}`;
}
