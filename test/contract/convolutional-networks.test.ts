/**
 * Hessian products of convolutional networks, in both forms, on every executor that this machine can start, but for WebGPU:
 * without a card its driver takes minutes, and the ops themselves are compared in `executor-webgpu.test.ts`.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { executorNames } from '#engine/executors/names.js';
import { relativeError } from '#engine/verify/compare.js';
import { rounded, runExactly, runOnce } from '#engine/verify/run-once.js';
import { linearize } from '#graph/linearize.js';
import { runReference } from '#graph/run-reference.js';
import { spatialFirst } from '#graph/spatial-first/spatial-first.js';
import { convolutionalNetworks } from '#graph/testing/convolutional-networks.js';
import { randomInputs } from '#graph/testing/numbers.js';
import { findExecutor } from '../support/executors.js';

const TOLERANCE = 1e-4;

const forms = convolutionalNetworks.flatMap(({ name, training }) => [
  { name: `${name}, as it is`, training },
  { name: `${name}, as products`, training: spatialFirst(training, { plainPenalty: Number.POSITIVE_INFINITY }) },
]);

for (const name of executorNames.filter((each) => !each.endsWith('webgpu'))) {
  const found = await findExecutor(name);
  describe.skipIf(found === undefined)(`executor ${name}`, () => {
    afterAll(() => found?.executor.close());

    it.each(forms)('$name', async ({ training }) => {
      const { primal, tangent } = linearize(training, { convolutions: 'plain' });
      const inputs = randomInputs(training, 3, 5);
      const kept = runReference(primal.graph, inputs);
      const vectors = randomInputs(tangent.graph, 3, 6);
      for (const graph of [primal.graph, tangent.graph]) {
        const feeds = rounded({ ...vectors, ...inputs, ...kept });
        const [actual, expected] = [await runOnce(found!.executor, graph, feeds), runExactly(graph, feeds)];
        for (const { name: output } of graph.outputs) {
          expect(relativeError(actual[output]!, expected[output]!), output).toBeLessThan(TOLERANCE);
        }
      }
    });
  });
}
