import { StagewatchError } from '#runtime/errors.js';
import { chooseExecutor, type Choice } from './executors/choose.js';
import { discoverAll, type Discovered } from './executors/discover.js';
import type { ExecutorSettings } from './executors/open-executor.js';

export interface ExecutorDescription {
  readonly name: string;
  readonly available: boolean;
  readonly chosen: boolean;
  /** What it is and why it was chosen, or why not. */
  readonly reason: string;
  /** Of one gradient of a small network, where it was tried. */
  readonly trialMs?: number;
}

export interface ExecutorQuestion extends ExecutorSettings {
  /** A name, or `auto`. */
  readonly executor?: string | undefined;
}

/** What can run graphs on this machine, for `doctor`: every executor is started, and the plausible ones are tried. */
export async function describeExecutors(question: ExecutorQuestion = {}): Promise<readonly ExecutorDescription[]> {
  const { executor: asked = 'auto', ...settings } = question;
  const all = await discoverAll(settings);
  const choice = await chooseExecutor(asked, settings).catch((error: unknown) => {
    // What was asked for and is not there is one of the answers.
    if (error instanceof StagewatchError && error.code === 'EXECUTOR_UNAVAILABLE') return undefined;
    throw error;
  });
  return all.map((found) => describe(found, choice));
}

function describe(found: Discovered, choice: Choice | undefined): ExecutorDescription {
  const { name, about } = found;
  if (!found.startable) return { name, available: false, chosen: false, reason: `${about}: ${found.reason}` };
  const chosen = choice?.name === name;
  const trial = choice?.trials.get(name);
  const where = `${about}, on ${found.hardware}`;
  const remarks = [
    chosen ? choice?.reason : undefined,
    found.emulated ? 'a software driver: right, and too slow to measure with' : undefined,
    typeof trial === 'string' ? `failed in the trial: ${trial}` : undefined,
    typeof trial === 'object' && !trial.right ? `WRONG by ${(100 * trial.error).toPrecision(2)} % in the trial` : undefined,
    name === 'reference' ? 'slow, used to check the others' : undefined,
  ].filter((remark) => remark !== undefined);
  const reason = remarks.length === 0 ? where : `${where}; ${remarks.join('; ')}`;
  const timed = typeof trial === 'object' && Number.isFinite(trial.ms);
  return { name, available: true, chosen, reason, ...(timed && { trialMs: trial.ms }) };
}
