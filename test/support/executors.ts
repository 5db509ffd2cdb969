import { discover } from '#engine/executors/discover.js';
import type { ExecutorName } from '#engine/executors/names.js';
import type { OpenExecutor } from '#engine/executors/open-executor.js';
import { readConfig } from '#runtime/config.js';
import { leftOut, notHere } from './needs.js';

/** The executor, where this machine can start it; else the tests of it are reported as left out. */
export async function findExecutor(name: ExecutorName): Promise<OpenExecutor | undefined> {
  const { tfjsDir } = readConfig().engine;
  const found = await discover(name, { threads: 2, tfjsDir });
  if (found.startable) return found;
  const what = `the executor ${name}`;
  // A card cannot be installed, and for WebGPU there is a software driver.
  if (found.want === 'gpu' && !name.endsWith('webgpu')) notHere(what, found.reason);
  else leftOut(what, found.reason);
  return undefined;
}
