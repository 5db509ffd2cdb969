import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import type { Attributes, DType, Graph, Shape } from '#graph/graph.js';
import { packageRoot } from '#runtime/package-root.js';
import { createOrtCpuExecutor } from './ort-cpu.js';
import { openOrtLibrary } from './ort-library.js';
import { OrtSession } from './ort-session.js';

/** One op on `x`, whose result is `name`. */
function unary(op: string, shape: Shape, given: { name?: string; dtype?: DType; attributes?: Attributes } = {}): Graph {
  const { name = 'y', dtype = 'float32', attributes = {} } = given;
  return {
    inputs: [{ name: 'x', role: 'data', dtype, shape }],
    constants: [],
    nodes: [{ op, inputs: ['x'], output: 'made', attributes, dtype, shape }],
    outputs: [{ name, value: 'made', dtype, shape }],
  };
}

const open = (graph: Graph): OrtSession => new OrtSession(openOrtLibrary(), graph, 1);
const floats = (...data: readonly number[]) => ({
  shape: [data.length],
  data: Float32Array.from(data),
  dtype: 'float32' as const,
});

describe('a session of ONNX Runtime', () => {
  it('writes into the array that it is given', () => {
    const session = open(unary('neg', [3]));
    const whole = new Float32Array(8);
    const place = whole.subarray(4, 7);
    const { y } = session.run({ x: { ...floats(), shape: [3], data: Float32Array.of(9, 1, 2, 3).subarray(1) } }, { y: place });
    expect(y?.data).toBe(place);
    expect([...whole]).toEqual([0, 0, 0, 0, -1, -2, -3, 0]);
    session.close();
  });

  it('makes as much room as there are examples', () => {
    const session = open(unary('neg', ['batch', 2]));
    for (const examples of [1, 3, 0]) {
      const data = Float32Array.from({ length: examples * 2 }, (_, i) => i + 1);
      const { y } = session.run({ x: { shape: [examples, 2], data, dtype: 'float32' } });
      expect(y).toEqual({ shape: [examples, 2], data: data.map((value) => -value), dtype: 'float32' });
    }
    session.close();
  });

  it('has whole numbers and truth values, and names in any language', () => {
    for (const shape of [[2], ['batch']] as const) {
      const whole = open(unary('reshape', shape, { dtype: 'int64', name: 'größe', attributes: { shape: [...shape] } }));
      const data = BigInt64Array.of(-5n, 2n ** 40n);
      expect(whole.run({ x: { shape: [2], data, dtype: 'int64' } })['größe']?.data).toEqual(data);
      whole.close();
      const truth = open(unary('reshape', shape, { dtype: 'bool', attributes: { shape: [...shape] } }));
      const bools = Uint8Array.of(1, 0);
      expect(truth.run({ x: { shape: [2], data: bools, dtype: 'bool' } })['y']?.data).toEqual(bools);
      truth.close();
    }
  });

  it('passes NaN and infinities on', () => {
    const session = open(unary('neg', [3]));
    expect([...session.run({ x: floats(Number.NaN, Infinity, -0) })['y']!.data]).toEqual([Number.NaN, -Infinity, 0]);
    session.close();
  });

  it('refuses with what ONNX Runtime says, and works on', () => {
    const session = open(unary('neg', [3]));
    expect(() => session.run({ x: floats(1, 2) })).toThrow(/Got: 2 Expected: 3/);
    expect(() => session.run({})).toThrow("The input 'x' is missing");
    expect([...session.run({ x: floats(1, 2, 3) })['y']!.data]).toEqual([-1, -2, -3]);
    session.close();
    session.close();
    expect(() => session.run({ x: floats(1, 2, 3) })).toThrow('closed');
    expect(() => openOrtLibrary().createSession(Uint8Array.of(1, 2, 3), 1)).toThrow(/protobuf/i);
  });

  it('lets others have the thread between two runs', async () => {
    const executor = createOrtCpuExecutor({ threads: 1 });
    const program = await executor.compile(unary('neg', [3]));
    const x = executor.upload([3], Float32Array.of(1, 2, 3));
    let heard = false;
    setImmediate(() => (heard = true));
    await program.run({ x });
    await program.run({ x });
    expect(heard).toBe(true);
    await program.close();
  });

  it('outlives a thread that ended with sessions open', async () => {
    const session = open(unary('neg', [3]));
    const module = pathToFileURL(join(packageRoot, 'dist/libs/engine/executors/ort-cpu.js')).href;
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(${JSON.stringify(module)}).then(async ({ createOrtCpuExecutor }) => {
        const executor = createOrtCpuExecutor({ threads: 2 });
        const program = await executor.compile(workerData);
        const { y } = await program.run({ x: executor.upload([3], Float32Array.of(1, 2, 3)) });
        parentPort.postMessage(y.data);
      });`;
    for (let i = 0; i < 3; i++) {
      const worker = new Worker(code, { eval: true, execArgv: [], workerData: unary('neg', [3]) });
      const [answer] = (await once(worker, 'message')) as [Float32Array];
      expect([...answer]).toEqual([-1, -2, -3]);
      await worker.terminate();
    }
    expect([...session.run({ x: floats(1, 2, 3) })['y']!.data]).toEqual([-1, -2, -3]);
    session.close();
  });
});
