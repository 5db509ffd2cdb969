import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { ExecutorSpace } from '#engine/executor-space.js';
import type { ExecutorName } from '#engine/executors/names.js';
import { output, type DeviceTensor, type Executor } from '#engine/executor.js';
import { createProbeModel, type NpyArray } from '#engine/index.js';
import { relativeError } from '#engine/verify/compare.js';
import { rounded, runExactly, runOnce } from '#engine/verify/run-once.js';
import { sampleTolerance, verifySample } from '#engine/verify/verify-executor.js';
import { GraphBuilder } from '#graph/builder.js';
import * as ops from '#graph/emit.js';
import * as elementwise from '#graph/emit/elementwise.js';
import { reduceLogSumExp, reduceMax } from '#graph/emit/reductions.js';
import { concat, gather } from '#graph/emit/shape.js';
import { attachLoss, mlp, type Graph, type ReferenceTensor, type Shape } from '#graph/index.js';
import type { Emit, Value } from '#graph/op.js';
import { referenceTensor } from '#graph/reference-tensor.js';
import { samples } from '#graph/samples/samples.js';
import { createRandom } from '#math/random.js';
import { findExecutor } from '../support/executors.js';
import { probeModelContract } from './probe-model.js';
import { vectorSpaceContract } from './vector-space.js';

interface ExecutorContract {
  readonly executor: Executor;
  /** False where a driver may assume that no number is infinite or NaN, as WebGPU's language lets it. */
  readonly keepsNaN?: boolean;
  /** Without models and vectors on top: they have files of their own, or every node takes milliseconds on a software driver. */
  readonly quick?: boolean;
}

type Make = (e: Emit, inputs: readonly Value[]) => Value | readonly Value[];

function graphOf(shapes: readonly Shape[], make: Make): Graph {
  const builder = new GraphBuilder();
  const inputs = shapes.map((shape, i) => builder.input({ name: `x${i}`, role: 'data', dtype: 'float32', shape }));
  const made = make(builder, inputs);
  const values = Array.isArray(made) ? (made as readonly Value[]) : [made as Value];
  return builder.build(values.map((value, i) => ({ name: `y${i}`, value })));
}

const named = (tensors: readonly ReferenceTensor[]): Record<string, ReferenceTensor> =>
  Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));

/** Tensors that tfjs holds, of all its backends in this process; others leave theirs to the garbage collector. */
function tensorsHeld(executor: Executor): number {
  if (!executor.name.startsWith('tfjs')) return 0;
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-core') as { memory(): { numTensors: number } };
  return tf.memory().numTensors;
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
  /** Outputs that differ from the reference, with their first numbers. */
  const wrong = async (graph: Graph, tensors: readonly ReferenceTensor[]): Promise<string[]> => {
    const inputs = rounded(named(tensors));
    const [actual, expected] = [await runOnce(executor, graph, inputs), runExactly(graph, inputs)];
    return graph.outputs.flatMap(({ name: y }) =>
      relativeError(actual[y]!, expected[y]!) < sampleTolerance
        ? []
        : [`${y}: ${actual[y]!.slice(0, 8).join()} for ${expected[y]!.slice(0, 8).join()}`],
    );
  };

  describe('ops', () => {
    it.each(samples)('$op, $case: value, gradient and second derivative', async (sample) => {
      expect(await verifySample(executor, sample)).not.toHaveProperty('problem');
    });
  });

  describe('shapes', () => {
    it.each([1, 2, 3, 4, 5, 6])('broadcasts any two shapes that fit (%i)', async (seed) => {
      const random = createRandom(seed);
      const full = Array.from({ length: 1 + random.integer(4) }, () => 1 + random.integer(4));
      const part = (): number[] => full.slice(random.integer(full.length + 1)).map((dim) => (random.uniform() < 0.4 ? 1 : dim));
      const [a, b] = [part(), part()];
      const graph = graphOf([a, b], (e, [x, y]) => [
        ops.add(e, x!, y!),
        ops.mul(e, x!, y!),
        elementwise.max(e, x!, y!),
        elementwise.where(e, elementwise.less(e, x!, y!), x!, y!),
        ops.reduceSum(e, ops.sub(e, x!, y!), [0].slice(0, Math.max(a.length, b.length))),
      ]);
      expect(await wrong(graph, [numbers(a, seed), numbers(b, seed + 100)])).toEqual([]);
    });

    it.each([1, 2, 3, 4, 5, 6])('multiplies stacks of matrices and reduces over any axes (%i)', async (seed) => {
      const random = createRandom(seed + 50);
      const size = (): number => 1 + random.integer(4);
      const [rows, inner, columns] = [size(), size(), size()];
      const stack = Array.from({ length: random.integer(3) }, size);
      const [transA, transB] = [random.uniform() < 0.5, random.uniform() < 0.5];
      const a = [...stack, ...(transA ? [inner, rows] : [rows, inner])];
      const b = [...(seed % 2 === 0 ? stack : []), ...(transB ? [columns, inner] : [inner, columns])];
      const axes = Array.from({ length: stack.length + 2 }, (_, axis) => axis).filter(() => random.uniform() < 0.5);
      const graph = graphOf([a, b], (e, [x, y]) => {
        const product = ops.matmul(e, x!, y!, { transA, transB });
        return [product, ops.reduceSum(e, product, axes, seed % 3 === 0), reduceMax(e, product, axes)];
      });
      expect(await wrong(graph, [numbers(a, seed), numbers(b, seed + 100)])).toEqual([]);
    });

    it('takes as many examples as it is fed, one as well', async () => {
      const graph = graphOf([['batch', 3]], (e, [x]) => [
        ops.softmax(e, x!, 1),
        ops.reduceSum(e, x!, [0]),
        ops.mul(e, x!, ops.batchSize(e)),
      ]);
      for (const examples of [1, 7, 2]) expect(await wrong(graph, [numbers([examples, 3], examples)])).toEqual([]);
    });

    it('knows axes without elements', async () => {
      const none = referenceTensor([0, 3], []);
      const graph = graphOf(
        [
          [0, 3],
          [2, 3],
        ],
        (e, [x, y]) => [
          ops.reduceSum(e, x!, [0]),
          concat(e, [x!, y!], 0),
          ops.matmul(e, x!, x!, { transA: true }),
          ops.mul(e, x!, x!),
          gather(e, y!, e.constant([0], new Float64Array(0), 'int64'), 0),
        ],
      );
      expect(await wrong(graph, [none, numbers([2, 3], 1)])).toEqual([]);
    });
  });

  describe('values', () => {
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const plain = [0, -0, 1, -1, 1e-30, 1e30, 88, -104, 0.5, 2];
    const xs = keepsNaN ? [...plain, ...odd] : plain.slice(0, 4).concat(0.5, 2);

    it(`functions at zero, far out${keepsNaN ? ', at infinity and at NaN' : ''}`, async () => {
      const graph = graphOf([[xs.length]], (e, [x]) => [
        ops.neg(e, x!),
        ops.exp(e, x!),
        ops.tanh(e, x!),
        ops.sigmoid(e, x!),
        ops.relu(e, x!),
        ops.step(e, x!),
        elementwise.abs(e, x!),
        ops.mul(e, x!, e.scalar(0)),
        ...(keepsNaN ? [ops.log(e, x!), ops.sqrt(e, x!), ops.div(e, e.scalar(1), x!), elementwise.isNaN(e, x!)] : []),
      ]);
      for (const { name: y } of graph.outputs) {
        const one = { ...graph, outputs: graph.outputs.filter((o) => o.name === y) };
        const inputs = rounded(named([referenceTensor([xs.length], xs)]));
        const [actual, expected] = [await runOnce(executor, one, inputs), runExactly(one, inputs)];
        // Each number by itself: beside 1e30 every other one would be rounding.
        for (const [i, x] of xs.entries()) {
          const want = Math.fround(expected[y]![i]!);
          expect(relativeError([actual[y]![i]!], [want]), `${y}(${x}) = ${actual[y]![i]}, not ${want}`).toBeLessThan(
            sampleTolerance,
          );
        }
      }
    });

    it('pairs of them', async () => {
      const pairs = xs
        .flatMap((a) => xs.map((b) => [a, b] as const))
        .filter(([a, b]) => Math.abs(a * b) < 1e38 || !Number.isFinite(a * b));
      const tensors = [0, 1].map((side) =>
        referenceTensor(
          [pairs.length],
          pairs.map((pair) => pair[side]!),
        ),
      );
      const graph = graphOf([[pairs.length], [pairs.length]], (e, [a, b]) => [
        elementwise.less(e, a!, b!),
        elementwise.equal(e, a!, b!),
        elementwise.where(e, elementwise.less(e, a!, b!), a!, b!),
      ]);
      const inputs = rounded(named(tensors));
      const [actual, expected] = [await runOnce(executor, graph, inputs), runExactly(graph, inputs)];
      for (const { name: y } of graph.outputs) {
        const wrong = pairs.filter((_, i) => relativeError([actual[y]![i]!], [expected[y]![i]!]) > sampleTolerance);
        expect(wrong, y).toEqual([]);
      }
    });

    it('ties: the largest of equals, and what its gradient is', async () => {
      const graph = graphOf(
        [
          [2, 3],
          [2, 3],
        ],
        (e, [x, y]) => {
          const largest = reduceMax(e, x!, [1], true);
          return [largest, elementwise.equal(e, x!, largest), elementwise.max(e, x!, y!), elementwise.min(e, x!, y!)];
        },
      );
      const tied = referenceTensor([2, 3], [1, 1, 0, 2, 2, 2]);
      expect(await wrong(graph, [tied, referenceTensor([2, 3], [1, 0, 0, 2, 3, 2])])).toEqual([]);
    });

    const inf = Number.NEGATIVE_INFINITY;
    const logits = [[1000, 1001, 1002, -1000, -1001, -1002], ...(keepsNaN ? [[0, inf, 1, 5, inf, 5]] : [])];
    it.each(logits)('powers that are large, and masked ones (%f, %f, …)', async (...row) => {
      const graph = graphOf([[2, 3]], (e, [x]) => [ops.softmax(e, x!, 1), ops.logSoftmax(e, x!, 1), reduceLogSumExp(e, x!, [1])]);
      expect(await wrong(graph, [referenceTensor([2, 3], row)])).toEqual([]);
    });
  });

  describe('tensors and programs', () => {
    const whole = (): Graph => {
      const builder = new GraphBuilder();
      const n = builder.input({ name: 'n', role: 'data', dtype: 'int64', shape: ['batch'] });
      const flag = builder.input({ name: 'flag', role: 'data', dtype: 'bool', shape: ['batch'] });
      const table = builder.input({ name: 'table', role: 'data', dtype: 'float32', shape: [4, 2] });
      return builder.build([
        { name: 'rows', value: gather(builder, table, n, 0) },
        { name: 'n', value: n },
        { name: 'chosen', value: elementwise.where(builder, flag, elementwise.cast(builder, n, 'float32'), builder.scalar(-1)) },
        { name: 'not', value: elementwise.not(builder, flag) },
      ]);
    };

    it('whole numbers and truth values, in every array that a probe set has them in', async () => {
      const graph = whole();
      const program = await executor.compile(graph);
      const table = executor.upload([4, 2], Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7));
      for (const n of [BigInt64Array.of(3n, 0n, 3n), Int32Array.of(3, 0, 3), Uint8Array.of(3, 0, 3), Float32Array.of(3, 0, 3)]) {
        const fed = {
          table,
          n: executor.upload([3], n, 'int64'),
          flag: executor.upload([3], n instanceof BigInt64Array ? Uint8Array.of(1, 0, 0) : Float64Array.of(1, 0, 0), 'bool'),
        };
        const outputs = await program.run(fed);
        const read = async (of: string): Promise<number[]> => [...(await executor.download(output(outputs, of)))];
        expect(await read('rows')).toEqual([6, 7, 0, 1, 6, 7]);
        expect(await read('n')).toEqual([3, 0, 3]);
        expect(await read('chosen')).toEqual([3, -1, -1]);
        expect(await read('not')).toEqual([0, 1, 1]);
        for (const tensor of [fed.n, fed.flag, ...Object.values(outputs)]) executor.release(tensor);
      }
      executor.release(table);
      await program.close();
    });

    it('every output is a tensor of its own: one may be given back while another is in use', async () => {
      const graph = graphOf([[2]], (e, [x]) => [x!, x!, ops.neg(e, x!), e.constant([2], Float64Array.of(5, 6))]);
      const program = await executor.compile(graph);
      const x = executor.upload([2], Float32Array.of(1, 2));
      const outputs = await program.run({ x0: x });
      executor.release(output(outputs, 'y0'));
      executor.release(x);
      expect([...(await executor.download(output(outputs, 'y1')))]).toEqual([1, 2]);
      expect([...(await executor.download(output(outputs, 'y2')))]).toEqual([-1, -2]);
      executor.release(output(outputs, 'y3'));
      const again = await program.run({ x0: output(outputs, 'y2') });
      expect([...(await executor.download(output(again, 'y2')))]).toEqual([1, 2]);
      expect([...(await executor.download(output(again, 'y3')))]).toEqual([5, 6]);
      await program.close();
    });

    it('gives the same bits for the same input, also with another program at work', async () => {
      const graph = graphOf(
        [
          [30, 40],
          [40, 20],
        ],
        (e, [a, b]) => ops.softmax(e, ops.matmul(e, a!, b!), 1),
      );
      const other = graphOf([[30, 40]], (e, [a]) => ops.reduceSum(e, ops.tanh(e, a!), [0]));
      const [a, b] = [numbers([30, 40], 1), numbers([40, 20], 2)];
      const one = await runOnce(executor, graph, named([a, b]));
      const both = await Promise.all([
        runOnce(executor, graph, named([a, b])),
        runOnce(executor, other, named([a])),
        runOnce(executor, graph, named([a, b])),
      ]);
      expect(both[0]).toEqual(one);
      expect(both[2]).toEqual(one);
      expect(relativeError(both[1]['y0']!, runExactly(other, named([a]))['y0']!)).toBeLessThan(sampleTolerance);
    });

    it('gives all its memory back', async () => {
      const graph = graphOf([['batch', 3]], (e, [x]) => {
        const y = ops.softmax(e, ops.mul(e, x!, e.constant([3], Float64Array.of(1, 2, 3))), 1);
        return [ops.matmul(e, y, x!, { transA: true }), y];
      });
      await runOnce(executor, graph, named([numbers([4, 3], 1)]));
      const before = tensorsHeld(executor);
      for (let turn = 0; turn < 5; turn++) await runOnce(executor, graph, named([numbers([4, 3], turn)]));
      expect(tensorsHeld(executor)).toBe(before);
    });

    it('a model gives all its memory back too', async () => {
      const graph = attachLoss(mlp({ sizes: [3, 4, 2], activation: 'tanh' }), {
        kind: 'mse',
        reduction: 'mean-outputs',
        halved: false,
      });
      const [x, y] = [numbers([9, 3], 1), numbers([9, 2], 2)].map(({ shape, data }): NpyArray => ({
        dtype: 'float32',
        shape,
        data: Float32Array.from(data),
      })) as [NpyArray, NpyArray];
      const before = tensorsHeld(executor);
      for (const memoryBytes of [1e9, 4000]) {
        const model = createProbeModel({ graph, probeSet: { x, y }, executor, memoryBytes });
        const theta = Float32Array.from(numbers([model.parameterCount], 3).data);
        const point = await model.linearize(theta);
        await point.multiply([theta]);
        await point.close();
        await model.gradient(theta);
        await model.loss(theta);
        await model.close();
      }
      expect(tensorsHeld(executor)).toBe(before);
    });

    it('an error of a run is an error of that run only, and leaves nothing behind', async () => {
      const graph = graphOf(
        [
          [2, 3],
          [3, 2],
        ],
        (e, [a, b]) => ops.matmul(e, ops.neg(e, a!), b!),
      );
      const program = await executor.compile(graph);
      const [a, b] = [executor.upload([2, 3], new Float32Array(6).fill(1)), executor.upload([3, 2], new Float32Array(6).fill(1))];
      const before = tensorsHeld(executor);
      await expect(program.run({ x0: a })).rejects.toThrow(/x1/);
      await expect(program.run({ x0: a, x1: a })).rejects.toThrow(/x1|neg|matmul|shape|dimension/i);
      expect(tensorsHeld(executor)).toBe(before);
      const outputs = await program.run({ x0: a, x1: b });
      expect([...(await executor.download(output(outputs, 'y0')))]).toEqual([-3, -3, -3, -3]);
      const held: DeviceTensor[] = [a, b, output(outputs, 'y0')];
      for (const tensor of held) executor.release(tensor);
      await program.close();
    });
  });
}

function numbers(shape: readonly number[], seed: number): ReferenceTensor {
  const random = createRandom(seed);
  return referenceTensor(
    shape,
    Float64Array.from({ length: shape.reduce((product, dim) => product * dim, 1) }, () => random.normal()),
  );
}
