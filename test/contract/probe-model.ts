import { afterAll, describe, expect, it } from 'vitest';
import type { Executor } from '#engine/executor.js';
import { createProbeModel, type CompiledModel, type NpyArray, type ProbeSet } from '#engine/index.js';
import { attachLoss, gradient, mlp, oneHot, referenceTensor, runReference, type Graph, type LossSpec } from '#graph/index.js';
import { createRandom, normalVector } from '#math/random.js';

export interface ProbeModelContract {
  readonly executor: 'ort-cpu' | 'reference' | Executor;
  /** Relative to the largest number of a result. */
  readonly tolerance: number;
}

const examples = 13;
const sizes = [4, 5, 3];
const losses: readonly (readonly [string, LossSpec])[] = [
  ['cross-entropy', { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false }],
  ['half the sum of squares', { kind: 'mse', reduction: 'sum-outputs', halved: true }],
  ['the mean of squares', { kind: 'mse', reduction: 'mean-outputs', halved: false }],
];

function probeSetFor(spec: LossSpec): ProbeSet {
  const random = createRandom(3);
  const x: NpyArray = { dtype: 'float32', shape: [examples, 4], data: normalVector(examples * 4, random) };
  const y: NpyArray =
    spec.kind === 'cross-entropy'
      ? { dtype: 'int64', shape: [examples], data: BigInt64Array.from({ length: examples }, () => BigInt(random.integer(3))) }
      : { dtype: 'float32', shape: [examples, 3], data: normalVector(examples * 3, random) };
  return { x, y };
}

/** Mean loss and gradient in double precision, straight from the graph. */
function truth(graph: Graph, { x, y }: ProbeSet, theta: ArrayLike<number>): { loss: number; gradient: number[] } {
  const derived = gradient(graph);
  const targets = y.dtype === 'int64' ? oneHot(y.data, 3) : (y.data as Float32Array);
  const inputs: Record<string, ReturnType<typeof referenceTensor>> = {};
  let offset = 0;
  for (const input of graph.inputs) {
    if (input.role !== 'parameter') continue;
    const shape = input.shape.map(Number);
    const size = shape.reduce((a, b) => a * b, 1);
    inputs[input.name] = referenceTensor(
      shape,
      Array.from({ length: size }, (_, i) => theta[offset + i]!),
    );
    offset += size;
  }
  for (const input of graph.inputs) {
    if (input.role === 'data') inputs[input.name] = referenceTensor(x.shape, x.data as Float32Array);
    if (input.role === 'target') inputs[input.name] = referenceTensor([examples, 3], targets);
  }
  const outputs = runReference(derived.graph, inputs);
  return {
    loss: outputs[derived.losses]!.data.reduce((a, b) => a + b, 0) / examples,
    gradient: derived.gradients.flatMap((name) => Array.from(outputs[name]!.data, (v) => v / examples)),
  };
}

/** Column j: central differences of the gradient along parameter j. */
function denseHessian(graph: Graph, set: ProbeSet, theta: Float32Array): number[][] {
  const step = 1e-5;
  return Array.from(theta, (_, j) => {
    const moved = (s: number) => Float64Array.from(theta, (value, i) => value + (i === j ? s : 0));
    const [ahead, behind] = [truth(graph, set, moved(step)).gradient, truth(graph, set, moved(-step)).gradient];
    return ahead.map((value, i) => (value - behind[i]!) / (2 * step));
  });
}

/** The largest difference, relative to the largest number that is expected. */
function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const size = Array.from(expected).reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-3);
  return Array.from(expected).reduce((worst, value, i) => Math.max(worst, Math.abs(value - actual[i]!)), 0) / size;
}

/** What every executor must do behind a ProbeModel. */
export function probeModelContract({ executor, tolerance }: ProbeModelContract): void {
  const name = typeof executor === 'string' ? executor : executor.name;
  describe.each(losses)(`${name} - %s`, (_, spec) => {
    const graph = attachLoss(mlp({ sizes, activation: 'tanh' }), spec);
    const probeSet = probeSetFor(spec);
    const opened: CompiledModel[] = [];
    const open = (memoryBytes?: number): CompiledModel => {
      const model = createProbeModel({ graph, probeSet, loss: spec, executor, threads: 1, memoryBytes });
      opened.push(model);
      return model;
    };
    afterAll(async () => {
      for (const model of opened) await model.close();
    });
    const theta = normalVector(43, createRandom(5));
    const expected = truth(graph, probeSet, theta);
    const hessian = denseHessian(graph, probeSet, theta);
    const unit = (j: number) => Float32Array.from(theta, (__, i) => (i === j ? 1 : 0));

    it('lays parameters out in the order of the graph', () => {
      const model = open();
      expect(model.parameterCount).toBe(43);
      expect(model.parameters.map(({ name, offset, size }) => [name, offset, size])).toEqual([
        ['layer1.weight', 0, 20],
        ['layer1.bias', 20, 5],
        ['layer2.weight', 25, 15],
        ['layer2.bias', 40, 3],
      ]);
      expect([model.examples, model.device]).toEqual([examples, name]);
    });

    it('means over examples: loss and gradient', async () => {
      const model = open();
      expect(distance([await model.loss(theta)], [expected.loss])).toBeLessThan(tolerance);
      const point = await model.gradient(theta);
      expect(distance([point.loss], [expected.loss])).toBeLessThan(tolerance);
      expect(distance(point.gradient, expected.gradient)).toBeLessThan(tolerance);
    });

    it('multiplies with the Hessian, one by one and as a block', async () => {
      const point = await open().linearize(theta);
      expect(distance([point.loss], [expected.loss])).toBeLessThan(tolerance);
      expect(distance(point.gradient, expected.gradient)).toBeLessThan(tolerance);
      const columns = await point.multiply(Array.from(theta, (__, j) => unit(j)));
      columns.forEach((column, j) => expect(distance(column, hessian[j]!)).toBeLessThan(tolerance));
      const [again] = await point.multiply([unit(7)]);
      expect(distance(again!, columns[7]!)).toBeLessThan(tolerance);
      expect(await point.multiply([unit(7)])).toEqual([again]);
      expect(await point.multiply([])).toEqual([]);
      await point.close();
    });

    it('multiplies blocks that live where the executor is', async () => {
      const model = open();
      const { space } = model;
      const point = await model.linearize(theta);
      for (const places of [[3], [0, 7], [1, 2, 3, 4, 5, 6]]) {
        const block = await space.fromHost(places.map(unit));
        const product = await point.multiplyBlock(block);
        const columns = await space.toHost(product);
        columns.forEach((column, k) => expect(distance(column, hessian[places[k]!]!)).toBeLessThan(tolerance));
        space.release(block, product);
      }
      expect((await point.multiplyBlock(await space.join([]))).count).toBe(0);
      await point.close();
      await expect(point.multiply([unit(0)])).rejects.toThrow('closed');
    });

    // In one chunk, and in several.
    it.each([undefined, 4000])('tells examples apart, in %s bytes', async (memoryBytes) => {
      const model = open(memoryBytes);
      const { losses, weights } = await model.perExampleLoss(theta);
      expect([losses.length, weights]).toEqual([examples, undefined]);
      expect(distance([losses.reduce((a, b) => a + b, 0) / examples], [expected.loss])).toBeLessThan(tolerance);
      const { shape, data } = await model.predict(theta);
      expect([shape, data.length]).toEqual([[examples, 3], 3 * examples]);
      const rows = Array.from({ length: examples }, (__, i) => i);
      const all = await model.space.toHost(await model.perExampleGradients(theta, rows));
      const mean = Array.from(theta, (__, i) => all.reduce((sum, one) => sum + one[i]!, 0) / examples);
      expect(distance(mean, expected.gradient)).toBeLessThan(tolerance);
      const few = await model.space.toHost(await model.perExampleGradients(theta, [11, 2, 2]));
      [11, 2, 2].forEach((row, k) => expect(distance(few[k]!, all[row]!)).toBeLessThan(tolerance));
      const none = await model.perExampleGradients(theta, []);
      expect(none.count).toBe(0);
      await expect(model.perExampleGradients(theta, [examples])).rejects.toThrow(RangeError);
    });

    it('multiplies with the Gauss-Newton matrix, which is the Fisher information here', async () => {
      const model = open();
      const products = [];
      for (const kind of ['gauss-newton', 'fisher'] as const) {
        const point = await model.linearize(theta, { kind });
        expect(distance(point.gradient, expected.gradient)).toBeLessThan(tolerance);
        products.push(await point.multiply([theta]));
        await point.close();
      }
      expect(products[1]).toEqual(products[0]);
      const along = products[0]![0]!.reduce((sum, x, i) => sum + x * theta[i]!, 0);
      expect(along).toBeGreaterThan(0);
    });

    it('ends where it is told to, and says how far it is', async () => {
      const model = open(1);
      const point = await model.linearize(theta);
      const seen: string[] = [];
      await point.multiply([unit(0), unit(1)], { progress: (done, of) => void seen.push(`${done}/${of}`) });
      expect(seen).toEqual(Array.from({ length: 2 * examples }, (__, i) => `${i + 1}/${2 * examples}`));
      const controller = new AbortController();
      let done = 0;
      const stopped = point.multiply([unit(0)], {
        signal: controller.signal,
        progress: () => void (++done === 3 && controller.abort(new Error('enough'))),
      });
      await expect(stopped).rejects.toThrow('enough');
      expect(done).toBe(3);
      await expect(model.loss(theta, { signal: controller.signal })).rejects.toThrow('enough');
      await expect(model.linearize(theta, { signal: controller.signal })).rejects.toThrow('enough');
      // It can be used as before.
      expect(distance((await point.multiply([unit(4)]))[0]!, hessian[4]!)).toBeLessThan(tolerance);
    });

    // Small budgets: some chunks kept, then none, then one example at a time.
    it.each([4000, 2000, 1])('gives the same in %i bytes', async (memoryBytes) => {
      const model = open(memoryBytes);
      expect(model.plan.chunks).toBeGreaterThan(1);
      const point = await model.linearize(theta);
      expect(distance(point.gradient, expected.gradient)).toBeLessThan(tolerance);
      const products = await point.multiply([unit(0), unit(41)]);
      expect(distance(products[0]!, hessian[0]!)).toBeLessThan(tolerance);
      expect(distance(products[1]!, hessian[41]!)).toBeLessThan(tolerance);
      expect(distance([await model.loss(theta)], [expected.loss])).toBeLessThan(tolerance);
    });

    it('keeps its point when the array that it was given changes', async () => {
      const model = open();
      const mine = Float32Array.from(theta);
      const point = await model.linearize(mine);
      mine.fill(9);
      const other = await model.linearize(mine);
      const [product] = await point.multiply([unit(2)]);
      expect(distance(product!, hessian[2]!)).toBeLessThan(tolerance);
      await other.close();
    });

    it('lets NaN through as NaN', async () => {
      const broken = Float32Array.from(theta);
      broken[3] = Number.NaN;
      const model = open();
      expect(await model.loss(broken)).toBeNaN();
      const point = await model.linearize(broken);
      expect(point.loss).toBeNaN();
      expect(point.gradient.some(Number.isNaN)).toBe(true);
    });

    it('refuses a vector of another size', async () => {
      await expect(open().gradient(new Float32Array(42))).rejects.toThrow(RangeError);
    });
  });
}
