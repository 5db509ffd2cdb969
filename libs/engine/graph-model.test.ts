import { afterAll, describe, expect, it } from 'vitest';
import { attachLoss, type Graph, type LossSpec, type Shape } from '#graph/index.js';
import { GraphBuilder } from '#graph/builder.js';
import { add, matmul, mul, reduceMean, reduceSum, reshape, sub, tanh } from '#graph/emit.js';
import { gather } from '#graph/emit/shape.js';
import type { Value } from '#graph/op.js';
import { createRandom, normalVector } from '#math/random.js';
import { createProbeModel, type CompiledModel } from './create-probe-model.js';
import type { NpyArray } from './npy.js';
import type { ProbeSet } from './probe-set.js';

const random = createRandom(7);
const opened: CompiledModel[] = [];
afterAll(async () => {
  for (const model of opened) await model.close();
});
const open = (...[options]: Parameters<typeof createProbeModel>): CompiledModel => {
  const model = createProbeModel({ threads: 1, ...options });
  opened.push(model);
  return model;
};

class Net {
  readonly builder = new GraphBuilder();
  parameter = (name: string, shape: readonly number[]): Value =>
    this.builder.input({ name, role: 'parameter', dtype: 'float32', shape });
  data = (name: string, shape: Shape, dtype: 'float32' | 'int64' = 'float32'): Value =>
    this.builder.input({ name, role: 'data', dtype, shape });
  train = (value: Value, loss: LossSpec): Graph => attachLoss(this.builder.build([{ name: 'prediction', value }]), loss);
}

const floats = (shape: readonly number[]): NpyArray => ({
  dtype: 'float32',
  shape,
  data: normalVector(
    shape.reduce((a, b) => a * b, 1),
    random,
  ),
});
const classes = (shape: readonly number[], count: number): NpyArray => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => BigInt(random.integer(count))),
});
/** The largest difference, relative to the largest number that is expected. */
const off = (actual: ArrayLike<number>, expected: ArrayLike<number>): number => {
  const size = Math.max(1e-3, ...Array.from(expected, Math.abs));
  return Math.max(...Array.from(expected, (x, i) => Math.abs(x - actual[i]!))) / size;
};
const rounding = 2e-5;

/** Tokens through a table, beside other numbers of the example; classes for each token, of which some do not count. */
function tokens(decay = 0.2): Graph {
  const net = new Net();
  const e = net.builder;
  const table = net.parameter('table', [6, 4]);
  const [side, out] = [net.parameter('side', [3, 4]), net.parameter('out', [4, 5])];
  const embedded = gather(e, table, net.data('ids', ['batch', 3], 'int64'), 0);
  const beside = reshape(e, matmul(e, net.data('extra', ['batch', 3]), side), ['batch', 1, 4]);
  return net.train(matmul(e, tanh(e, add(e, embedded, beside)), out), {
    kind: 'cross-entropy',
    reduction: 'sum-outputs',
    halved: false,
    ignoredClass: 4,
    weightDecay: { strength: decay },
  });
}

describe('a model with several inputs and weighted examples', () => {
  const graph = tokens();
  const ids = classes([9, 3], 6);
  const probeSet: ProbeSet = { x: ids, inputs: { ids, extra: floats([9, 3]) }, y: classes([9, 3], 5) };
  const theta = normalVector(24 + 12 + 20, createRandom(2));
  const vector = normalVector(theta.length, createRandom(3));
  const truth = open({ graph, probeSet, executor: 'reference' });

  it.each([undefined, 3000, 1])('measures the same in %s bytes', async (memoryBytes) => {
    const model = open({ graph, probeSet, memoryBytes });
    const [point, expected] = [await model.linearize(theta), await truth.linearize(theta)];
    expect(off([point.loss, await model.loss(theta)], [expected.loss, expected.loss])).toBeLessThan(rounding);
    expect(off(point.gradient, expected.gradient)).toBeLessThan(rounding);
    expect(off((await model.gradient(theta)).gradient, expected.gradient)).toBeLessThan(rounding);
    expect(off((await point.multiply([vector]))[0]!, (await expected.multiply([vector]))[0]!)).toBeLessThan(rounding);
  });

  it('weighs an example by its tokens that count, and has the decay once', async () => {
    const { losses, weights } = await truth.perExampleLoss(theta);
    const labels = Array.from(probeSet.y.data, Number);
    expect(Array.from(weights!)).toEqual(
      Array.from({ length: 9 }, (_, i) => labels.slice(3 * i, 3 * i + 3).filter((label) => label !== 4).length),
    );
    const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);
    expect(off([await truth.loss(theta)], [sum(losses) / sum(weights!)])).toBeLessThan(1e-12);
    const plain = open({ graph: tokens(0), probeSet, executor: 'reference' });
    const squares = theta.reduce((all, x) => all + x * x, 0);
    expect(off([await truth.loss(theta)], [(await plain.loss(theta)) + 0.1 * squares])).toBeLessThan(1e-7);
    const [product] = await (await truth.linearize(theta)).multiply([vector]);
    const [without] = await (await plain.linearize(theta)).multiply([vector]);
    expect(
      off(
        product!,
        without!.map((x, i) => x + 0.2 * vector[i]!),
      ),
    ).toBeLessThan(1e-6);
  });

  it('gives the gradients of single examples', async () => {
    const model = open({ graph, probeSet });
    const [few, expected] = [[8, 0, 3], await truth.perExampleGradients(theta, [8, 0, 3])];
    const actual = await model.space.toHost(await model.perExampleGradients(theta, few));
    (await truth.space.toHost(expected)).forEach((gradient, i) => expect(off(actual[i]!, gradient)).toBeLessThan(rounding));
  });

  it('goes through examples one by one where an op has no rule to keep them apart', async () => {
    const net = new Net();
    const e = net.builder;
    // The shift's gradient is summed, and only then meets a cumulative sum.
    const shift = e.apply('cumsum', [net.parameter('shift', [4])], { axis: 0, exclusive: false, reverse: false });
    const summed = net.train(tanh(e, add(e, net.data('x', ['batch', 4]), shift)), {
      kind: 'mse',
      reduction: 'sum-outputs',
      halved: false,
    });
    const model = open({ graph: summed, probeSet: { x: floats([5, 4]), y: floats([5, 4]) } });
    const at = normalVector(4, random);
    const all = await model.space.toHost(await model.perExampleGradients(at, [0, 1, 2, 3, 4]));
    const { gradient } = await model.gradient(at);
    expect(
      off(
        gradient,
        gradient.map((_, i) => all.reduce((sum, one) => sum + one[i]! / 5, 0)),
      ),
    ).toBeLessThan(rounding);
  });

  it('wants an array for each input', () => {
    const { inputs: _, ...x } = probeSet;
    expect(() => open({ graph, probeSet: x })).toThrow(
      expect.objectContaining({ code: 'PROBE_SET_MISMATCH', message: expect.stringContaining("'extra'") }),
    );
  });
});

describe('examples that are tied together', () => {
  const net = new Net();
  const e = net.builder;
  const hidden = matmul(e, net.data('x', ['batch', 3]), net.parameter('w', [3, 4]));
  const centred = sub(e, hidden, reduceMean(e, hidden, [0], true));
  const graph = net.train(mul(e, centred, net.parameter('gain', [4])), { kind: 'mse', reduction: 'sum-outputs', halved: false });
  const probeSet: ProbeSet = { x: floats([40, 3]), y: floats([40, 4]) };
  const theta = normalVector(16, createRandom(1));

  it('go through in one chunk', async () => {
    const model = open({ graph, probeSet });
    expect(model.plan.chunks).toBe(1);
    expect(await model.loss(theta)).toBeGreaterThan(0);
    await expect(model.perExampleGradients(theta, [1])).rejects.toThrow(/tie the examples/);
  });

  it('are refused where that does not fit', async () => {
    const model = open({ graph, probeSet, memoryBytes: 4000 });
    const refusal = expect.objectContaining({ code: 'MEMORY_LIMIT', detail: expect.objectContaining({ field: 'probe set' }) });
    await expect(model.linearize(theta)).rejects.toEqual(refusal);
    await expect(model.loss(theta)).rejects.toEqual(refusal);
  });
});

describe('memory', () => {
  const deep = (layers: number): Graph => {
    const net = new Net();
    const e = net.builder;
    let value = net.data('x', ['batch', 16]);
    for (let layer = 0; layer < layers; layer++) value = tanh(e, matmul(e, value, net.parameter(`w${layer}`, [16, 16])));
    return net.train(reduceSum(e, value, [1], true), { kind: 'mse', reduction: 'sum-outputs', halved: false });
  };
  const graph = deep(6);
  const set = (examples: number): ProbeSet => ({ x: floats([examples, 16]), y: floats([examples, 1]) });
  const theta = normalVector(6 * 256, createRandom(4)).map((x) => 0.3 * x);
  const vector = normalVector(theta.length, createRandom(5));

  it('is bounded by the budget, however many examples there are; products stay the same', async () => {
    const probeSet = set(600);
    const whole = await open({ graph, probeSet }).linearize(theta);
    const [expected] = await whole.multiply([vector]);
    for (const memoryBytes of [4e5, 2e5, 5e4]) {
      const model = open({ graph, probeSet, memoryBytes });
      expect(model.keptBytes).toBeLessThanOrEqual(memoryBytes);
      expect(off((await (await model.linearize(theta)).multiply([vector]))[0]!, expected!)).toBeLessThan(rounding);
      const more = open({ graph, probeSet: set(6000), memoryBytes });
      expect(more.keptBytes).toBeLessThanOrEqual(memoryBytes);
      expect(more.plan.chunkExamples).toBeLessThanOrEqual(2 * model.plan.chunkExamples);
    }
  });

  it('holds what depends on parameters alone once', async () => {
    const net = new Net();
    const e = net.builder;
    const weight = tanh(e, net.parameter('w', [16, 16]));
    const once = net.train(tanh(e, matmul(e, net.data('x', ['batch', 16]), weight)), {
      kind: 'mse',
      reduction: 'sum-outputs',
      halved: false,
    });
    const probeSet = { x: floats([60, 16]), y: floats([60, 16]) };
    const at = normalVector(256, createRandom(6));
    const along = normalVector(256, createRandom(7));
    const whole = open({ graph: once, probeSet });
    const [expected] = await (await whole.linearize(at)).multiply([along]);
    const parts = open({ graph: once, probeSet, memoryBytes: 3e4 });
    expect(parts.plan.chunks).toBeGreaterThan(2);
    const point = await parts.linearize(at);
    expect(off((await point.multiply([along]))[0]!, expected!)).toBeLessThan(rounding);
    expect(off((await point.multiply([along]))[0]!, expected!)).toBeLessThan(rounding);
  });

  it('repeats cheap steps before it repeats whole chunks', () => {
    const roomy = open({ graph, probeSet: set(600) });
    const tight = open({ graph, probeSet: set(600), memoryBytes: roomy.keptBytes });
    expect(tight.plan.keptChunks).toBe(tight.plan.chunks);
    expect(tight.keptBytes).toBeLessThan(0.8 * roomy.keptBytes);
  });

  it('of gradients of single examples is checked before it is taken', async () => {
    const model = open({ graph, probeSet: set(50), memoryBytes: 1e5 });
    const rows = Array.from({ length: 50 }, (_, i) => i);
    await expect(model.perExampleGradients(theta, rows)).rejects.toEqual(expect.objectContaining({ code: 'MEMORY_LIMIT' }));
    expect((await model.perExampleGradients(theta, rows.slice(0, 10))).count).toBe(10);
  });
});
