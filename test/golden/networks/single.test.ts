import { describe, expect, it } from 'vitest';
import { createProbeModel } from '#engine/index.js';
import { cases, probeSetOf, relativeErrors, thetaOf, trainingGraph, vectorOf } from './golden.js';

describe('PyTorch\'s loss, gradient and product in single precision, as a model on the probe set', () => {
  it.each(cases)('$name by the $exporter exporter', async ({ name, exporter, golden }) => {
    const graph = trainingGraph(name, exporter, golden);
    const model = createProbeModel({ graph, probeSet: probeSetOf(golden), executor: 'ort-cpu', threads: 1 });
    try {
      const theta = thetaOf(golden);
      const { loss, gradient } = await model.gradient(theta);
      const linearization = await model.linearize(theta);
      const [product = []] = await linearization.multiply([vectorOf(golden)]);
      await linearization.close();
      expect(Math.abs(loss / golden.loss - 1)).toBeLessThan(1e-5);
      expect(relativeErrors(gradient, golden.gradient).coordinates).toBeLessThan(1e-5);
      expect(relativeErrors(linearization.gradient, golden.gradient).coordinates).toBeLessThan(1e-5);
      expect(relativeErrors(product, golden.product).coordinates).toBeLessThan(1e-4);
    } finally {
      await model.close();
    }
  });
});
