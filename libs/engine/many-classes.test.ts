import { afterAll, describe, expect, it } from 'vitest';
import { attachLoss, linearize, mlp, type Graph } from '#graph/index.js';
import { createRandom, normalVector } from '#math/random.js';
import { openProbeModel, createProbeModel, type CompiledModel } from './create-probe-model.js';
import { planMemory } from './memory-plan.js';
import type { ProbeSet } from './probe-set.js';
import { randomProbeSet } from './random-probe-set.js';

const training = (classes: number, maxOneHotClasses?: number): Graph =>
  attachLoss(
    mlp({ sizes: [5, 4, classes], activation: 'tanh' }),
    { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false, ignoredClass: -100, labelSmoothing: 0.1 },
    maxOneHotClasses === undefined ? {} : { maxOneHotClasses },
  );

const opened: CompiledModel[] = [];
afterAll(async () => {
  for (const model of opened) await model.close();
});

const classes = 300;
const random = createRandom(3);
const probeSet: ProbeSet = {
  x: { dtype: 'float32', shape: [12, 5], data: normalVector(60, random) },
  y: {
    dtype: 'int64',
    shape: [12],
    data: BigInt64Array.from({ length: 12 }, (_, i) => BigInt(i % 5 === 4 ? -100 : random.integer(classes))),
  },
};
const theta = normalVector(5 * 4 + 4 + 4 * classes + classes, random);
const vector = normalVector(theta.length, random);

async function measured(graph: Graph, set: ProbeSet, executor: string, memoryBytes: number): Promise<number[]> {
  const model = await openProbeModel({ graph, probeSet: set, executor, memoryBytes, threads: 1 });
  opened.push(model);
  const point = await model.linearize(theta);
  const [product = []] = await point.multiply([vector]);
  await point.close();
  return [point.loss, ...point.gradient, ...product];
}

describe('a model of many classes', () => {
  it.each([
    ['reference', 1e9, 1e-9],
    ['ort-cpu', 1e9, 1e-5],
    ['ort-cpu', 1e5, 1e-5],
    ['tfjs-cpu', 1e9, 1e-5],
  ] as const)('class indices and one-hot rows measure the same - %s in %s bytes', async (executor, memoryBytes, tolerance) => {
    const rows = await measured(training(classes, classes), probeSet, 'reference', 1e9);
    const indices = await measured(training(classes), probeSet, executor, memoryBytes);
    const size = Math.max(...rows.map(Math.abs));
    expect(Math.max(...rows.map((x, i) => Math.abs(x - indices[i]!)))).toBeLessThan(tolerance * size);
  });

  it('needs less memory than with one-hot rows: more examples at once, and no more kept for each', () => {
    const planned = (maxOneHotClasses?: number): { atOnce: number; keptOfOne: number } => {
      const { plan, keptBytes } = planMemory(linearize(training(5000, maxOneHotClasses)), 4096, 256 * 2 ** 20);
      return { atOnce: plan.chunkExamples, keptOfOne: keptBytes / (plan.keptChunks * plan.chunkExamples) };
    };
    const [rows, indices] = [planned(5000), planned()];
    expect(indices.atOnce).toBeGreaterThan(1.2 * rows.atOnce);
    expect(indices.keptOfOne).toBeLessThanOrEqual(rows.keptOfOne);
  });

  it('gets classes, not numbers, where examples are made up', () => {
    const { y } = randomProbeSet(training(classes), 50, 1);
    expect(y).toMatchObject({ dtype: 'int64', shape: [50] });
    expect(Math.max(...Array.from(y.data, Number))).toBeGreaterThan(100);
  });

  it.each([
    [BigInt(classes), 'has a class that the model has no output for'],
    [-1n, 'has a negative class'],
  ])('refuses a class %s before anything is picked by it', (wrong, problem) => {
    const y = { ...probeSet.y, data: BigInt64Array.from(probeSet.y.data as BigInt64Array).with(3, wrong) };
    expect(() => createProbeModel({ graph: training(classes), probeSet: { ...probeSet, y } })).toThrow(problem);
  });
});
