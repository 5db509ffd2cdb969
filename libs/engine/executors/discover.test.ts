import { describe, expect, it } from 'vitest';
import { describeExecutors } from '../describe-executors.js';
import { chooseExecutor } from './choose.js';
import { discoverAll, openExecutor } from './discover.js';
import { executorNames } from './names.js';

const settings = { threads: 1, tfjsDir: '/nonexistent/tfjs' };

describe('executors', () => {
  it('starts those that need nothing, and says why the others are not there and what would help', async () => {
    const all = await discoverAll(settings);
    expect(all.map(({ name }) => name)).toEqual(executorNames);
    const startable = all.filter(({ startable }) => startable).map(({ name }) => name);
    expect(startable).toEqual(expect.arrayContaining(['ort-cpu', 'tfjs-wasm', 'tfjs-cpu', 'reference']));
    const node = all.find(({ name }) => name === 'tfjs-node');
    expect(node).toMatchObject({ startable: false, want: 'package', reason: expect.stringContaining('stagewatch setup tfjs') });
  });

  it('chooses the one that is asked for, and refuses one that is not there or not known', async () => {
    expect(await chooseExecutor('tfjs-cpu', settings)).toMatchObject({ name: 'tfjs-cpu', reason: 'asked for' });
    await expect(openExecutor('tfjs-node', settings)).rejects.toMatchObject({
      code: 'EXECUTOR_UNAVAILABLE',
      detail: { field: 'executor', value: 'tfjs-node' },
    });
    await expect(chooseExecutor('torch', settings)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      detail: { value: 'torch', expected: expect.stringContaining('ort-cpu') },
    });
  });

  it('chooses by a trial that the chosen one passed, once a process', async () => {
    const choice = await chooseExecutor('auto', settings);
    expect(choice.trials.get(choice.name)).toMatchObject({ right: true });
    expect(choice.trials.size).toBeGreaterThan(1);
    expect(await chooseExecutor('auto', settings)).toBe(choice);
  });

  it('describes each in one sentence, with the time of its trial', async () => {
    const described = await describeExecutors(settings);
    expect(described.filter(({ chosen }) => chosen)).toHaveLength(1);
    expect(described.find(({ chosen }) => chosen)!.trialMs).toBeGreaterThan(0);
    expect(described.every(({ reason }) => reason.length > 10 && !reason.includes('\n'))).toBe(true);
    const forced = await describeExecutors({ ...settings, executor: 'tfjs-node' });
    expect(forced.some(({ chosen }) => chosen)).toBe(false);
  });
});
