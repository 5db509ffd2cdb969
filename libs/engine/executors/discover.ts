import { StagewatchError } from '#runtime/errors.js';
import type { Executor } from '../executor.js';
import { catalog } from './catalog.js';
import { executorNames, isExecutorName, type ExecutorName } from './names.js';
import { ExecutorRefused, firstLine, type ExecutorSettings, type OpenExecutor, type Want } from './open-executor.js';

export type Discovered = { readonly name: ExecutorName; readonly about: string } & (
  | ({ readonly startable: true } & OpenExecutor)
  | { readonly startable: false; readonly reason: string; readonly want: Want }
);

/** Devices and native libraries are there once a process, so what was started once is shared. */
const known = new Map<string, Promise<Discovered>>();

/** Starts this executor, or says why it cannot start here. */
export function discover(name: ExecutorName, settings: ExecutorSettings): Promise<Discovered> {
  const key = JSON.stringify([name, settings.threads, settings.tfjsDir]);
  const found = known.get(key) ?? start(name, settings);
  known.set(key, found);
  return found;
}

async function start(name: ExecutorName, settings: ExecutorSettings): Promise<Discovered> {
  const { about, open } = catalog[name];
  try {
    return { name, about, startable: true, ...(await open(settings)) };
  } catch (error) {
    if (error instanceof ExecutorRefused) return { name, about, startable: false, reason: error.message, want: error.want };
    return { name, about, startable: false, reason: `it fails to start: ${firstLine(error)}`, want: 'platform' };
  }
}

/** All of them, one after the other: some look at the same device. */
export async function discoverAll(settings: ExecutorSettings): Promise<readonly Discovered[]> {
  const all: Discovered[] = [];
  for (const name of executorNames) all.push(await discover(name, settings));
  return all;
}

/** The executor of this name; an error that says why when it is not there. */
export async function openExecutor(name: string, settings: ExecutorSettings = {}): Promise<Executor> {
  if (!isExecutorName(name)) {
    throw new StagewatchError(
      'INVALID_ARGUMENT',
      `There is no executor '${name}'; there are ${executorNames.join(', ')}, and auto`,
      {
        field: 'executor',
        value: name,
        expected: `auto, ${executorNames.join(', ')}`,
      },
    );
  }
  const found = await discover(name, settings);
  if (found.startable) return found.executor;
  throw new StagewatchError('EXECUTOR_UNAVAILABLE', `The executor '${name}' cannot start here: ${found.reason}.`, {
    field: 'executor',
    value: name,
    expected: "one that 'stagewatch doctor' finds, or auto",
  });
}
