import { describe, expect, it } from 'vitest';
import { createProbeModel } from '#engine/index.js';
import { findExecutor } from '../../support/executors.js';
import { cases, probeSetOf, relativeErrors, thetaOf, trainingGraph, vectorOf } from './golden.js';

/** Relative, in single precision; as for ONNX Runtime. */
const tolerance = { gradient: 1e-5, product: 1e-4 };

// One export of each network: how it was written does not matter to who runs it.
const networks = cases.filter(({ name }, i) => cases.findIndex((other) => other.name === name) === i);

for (const executor of ['ort-webgpu', 'tfjs-webgpu', 'tfjs-cpu'] as const) {
  const found = await findExecutor(executor);
  describe.skipIf(found === undefined)(`PyTorch's gradient and product on ${executor}`, { timeout: 120_000 }, () => {
    it.each(networks)('$name', async ({ name, exporter, golden }) => {
      const graph = trainingGraph(name, exporter, golden);
      const model = createProbeModel({ graph, probeSet: probeSetOf(golden), executor: found!.executor });
      const theta = thetaOf(golden);
      const point = await model.linearize(theta);
      const [product] = await point.multiply([vectorOf(golden)]);
      const errors = {
        gradient: relativeErrors(point.gradient, golden.gradient).coordinates,
        product: relativeErrors(product!, golden.product).coordinates,
      };
      await point.close();
      await model.close();
      expect(errors.gradient, JSON.stringify(errors)).toBeLessThan(tolerance.gradient);
      expect(errors.product, JSON.stringify(errors)).toBeLessThan(tolerance.product);
    });
  });
}
