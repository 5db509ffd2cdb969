import { describe, expect, it } from 'vitest';
import { ExecutorSpace } from '#engine/executor-space.js';
import type { ExecutorName } from '#engine/executors/names.js';
import type { Executor } from '#engine/executor.js';
import { verifySample } from '#engine/verify/verify-executor.js';
import { samples } from '#graph/samples/samples.js';
import { findExecutor } from '../support/executors.js';
import { programs } from './executor/programs.js';
import { shapes } from './executor/shapes.js';
import { values } from './executor/values.js';
import { probeModelContract } from './probe-model.js';
import { vectorSpaceContract } from './vector-space.js';

interface ExecutorContract {
  readonly executor: Executor;
  /** False where a driver may assume that no number is infinite or NaN, as WebGPU's language lets it. */
  readonly keepsNaN?: boolean;
  /** Without models and vectors on top: they have files of their own, or every node takes milliseconds on a software driver. */
  readonly quick?: boolean;
}

/** The contract on each of these that this machine can start. */
export async function executorContracts(
  names: readonly ExecutorName[],
  options: Omit<ExecutorContract, 'executor'> = {},
): Promise<void> {
  for (const name of names) {
    const found = await findExecutor(name);
    describe.skipIf(found === undefined)(`executor ${name}`, () => {
      if (found !== undefined) {
        executorContract({ executor: found.executor, ...options });
        if (options.quick !== true) roomsAbove(found.executor);
      }
      it('started here', () => expect(found).toBeDefined());
    });
  }
}

/** What stands on an executor must hold on this one too. */
function roomsAbove(executor: Executor): void {
  probeModelContract({ executor, tolerance: 5e-5 });
  vectorSpaceContract({ name: executor.name, open: (size) => new ExecutorSpace(executor, size) });
}

/** What every executor must do, whatever it computes on. */
function executorContract({ executor, keepsNaN = true }: ExecutorContract): void {
  describe('ops', () => {
    it.each(samples)('$op, $case: value, gradient and second derivative', async (sample) => {
      expect(await verifySample(executor, sample)).not.toHaveProperty('problem');
    });
  });

  shapes(executor);
  values(executor, keepsNaN);
  programs(executor);
}
