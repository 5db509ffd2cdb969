import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { discover } from '#engine/executors/discover.js';
import type { ExecutorName } from '#engine/executors/names.js';
import type { ExecutorSettings, OpenExecutor } from '#engine/executors/open-executor.js';
import { readConfig } from '#runtime/config.js';
import { packageRoot } from '#runtime/package-root.js';
import { leftOut, notHere } from './needs.js';

/** Where `.ci/run` has tfjs-node built, or where a person has. */
export function tfjsDir(): string {
  const here = join(packageRoot, '.cache/tfjs');
  return existsSync(here) ? here : readConfig().engine.tfjsDir;
}

/** What tests start executors with. */
export const executorSettings = (): ExecutorSettings => ({ threads: 2, tfjsDir: tfjsDir() });

/** The executor, where this machine can start it; else the tests of it are reported as left out. */
export async function findExecutor(name: ExecutorName): Promise<OpenExecutor | undefined> {
  const found = await discover(name, executorSettings());
  if (found.startable) return found;
  const what = `the executor ${name}`;
  // A card cannot be installed, and for WebGPU there is a software driver.
  if (found.want === 'gpu' && !name.endsWith('webgpu')) notHere(what, found.reason);
  else leftOut(what, found.reason);
  return undefined;
}
