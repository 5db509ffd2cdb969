import type { Executor } from '../executor.js';
import { discover, discoverAll, openExecutor, type Discovered } from './discover.js';
import type { ExecutorName } from './names.js';
import { firstLine, type ExecutorSettings } from './open-executor.js';
import { tryExecutor, type Trial } from './trial.js';

export interface Choice {
  readonly name: ExecutorName;
  readonly executor: Executor;
  readonly reason: string;
  /** Of those that were tried; a sentence for one that failed. */
  readonly trials: ReadonlyMap<ExecutorName, Trial | string>;
}

/** A preferred executor stays unless another one is faster by this factor: small differences change from run to run. */
const clearly = 1.15;
/** Slower than any other by design, and so chosen only when nothing else is left. */
const lastResorts: readonly ExecutorName[] = ['tfjs-cpu', 'reference'];

const chosen = new Map<string, Promise<Choice>>();

/** The executor that measurements use: the one that is asked for, else the fastest right one of those that can start here. */
export async function chooseExecutor(asked: string, settings: ExecutorSettings): Promise<Choice> {
  if (asked !== 'auto') {
    const executor = await openExecutor(asked, settings);
    return { name: executor.name as ExecutorName, executor, reason: 'asked for', trials: new Map() };
  }
  const key = JSON.stringify(settings);
  const choice = chosen.get(key) ?? byTrial(settings);
  chosen.set(key, choice);
  return choice;
}

async function byTrial(settings: ExecutorSettings): Promise<Choice> {
  const startable = (await discoverAll(settings)).flatMap((found) => (found.startable ? [found] : []));
  const plausible = startable.filter(({ name, emulated }) => !emulated && !lastResorts.includes(name));
  const trials = new Map<ExecutorName, Trial | string>();
  let best: { readonly found: (typeof plausible)[number]; readonly ms: number } | undefined;
  for (const found of plausible) {
    const trial = await tryExecutor(found.executor, best?.ms).catch(firstLine);
    trials.set(found.name, trial);
    if (typeof trial === 'string' || !trial.right) continue;
    if (best === undefined || trial.ms * clearly < best.ms) best = { found, ms: trial.ms };
  }
  if (best !== undefined) {
    const others = plausible.length - 1;
    const reason = others === 0 ? 'the only fast one' : `the fastest of ${plausible.length} in a trial`;
    return { name: best.found.name, executor: best.found.executor, reason, trials };
  }
  const left = startable.find(({ name }) => name === 'tfjs-cpu') ?? (await reference(settings));
  return { name: left.name, executor: left.executor, reason: 'all that is left', trials };
}

async function reference(settings: ExecutorSettings): Promise<Extract<Discovered, { startable: true }>> {
  const found = await discover('reference', settings);
  if (!found.startable) throw new Error('The reference needs nothing and starts everywhere');
  return found;
}
