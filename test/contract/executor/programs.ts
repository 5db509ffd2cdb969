import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { output, type DeviceTensor, type Executor } from '#engine/executor.js';
import { createProbeModel, type NpyArray } from '#engine/index.js';
import { relativeError } from '#engine/verify/compare.js';
import { runExactly, runOnce } from '#engine/verify/run-once.js';
import { sampleTolerance } from '#engine/verify/verify-executor.js';
import { GraphBuilder } from '#graph/builder.js';
import * as ops from '#graph/emit.js';
import * as elementwise from '#graph/emit/elementwise.js';
import { gather } from '#graph/emit/shape.js';
import { attachLoss, mlp, type Graph } from '#graph/index.js';
import { graphOf, named, numbers } from './graphs.js';

/** Tensors that tfjs holds, of all its backends in this process; others leave theirs to the garbage collector. */
function tensorsHeld(executor: Executor): number {
  if (!executor.name.startsWith('tfjs')) return 0;
  const tf = createRequire(import.meta.url)('@tensorflow/tfjs-core') as { memory(): { numTensors: number } };
  return tf.memory().numTensors;
}

export function programs(executor: Executor): void {
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
