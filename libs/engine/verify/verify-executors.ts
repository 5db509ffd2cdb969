import { chooseExecutor } from '../executors/choose.js';
import { discoverAll } from '../executors/discover.js';
import type { ExecutorQuestion } from '../describe-executors.js';
import { absentee, operatorsTable, type OperatorsTable, type Verified } from './operators-table.js';
import { verifyExecutor } from './verify-executor.js';

/**
 * Compares every executor that starts here, or the one that is asked for, with the reference: value, gradient and second
 * derivative of every use of every op. `progress` is told the name and the part that is done.
 */
export async function verifyExecutors(
  { executor: asked = 'auto', ...settings }: ExecutorQuestion,
  progress: (name: string, share: number) => void = () => {},
): Promise<OperatorsTable> {
  // One that is asked for and not there, or not known, is an error.
  if (asked !== 'auto') await chooseExecutor(asked, settings);
  const verified: Verified[] = [];
  for (const found of await discoverAll(settings)) {
    // The reference is what the others are compared with.
    if (found.name === 'reference' || (asked !== 'auto' && found.name !== asked)) continue;
    const results = found.startable ? await verifyExecutor(found.executor, (done, all) => progress(found.name, done / all)) : [];
    verified.push(absentee(found) ?? { name: found.name, results });
  }
  return operatorsTable(verified);
}
