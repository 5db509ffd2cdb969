import { afterAll, describe, expect, it } from 'vitest';
import { attachLoss, mlp } from '#graph/index.js';
import { createProbeModel, type CompiledModel } from './create-probe-model.js';
import { loadModel } from './load-model.js';
import type { NpyArray } from './npy.js';
import { writeNpz } from './npz.js';
import { readProbeSet } from './probe-set.js';

const classes = attachLoss(mlp({ sizes: [2, 3], activation: 'tanh' }), {
  kind: 'cross-entropy',
  reduction: 'sum-outputs',
  halved: false,
});
const values = attachLoss(mlp({ sizes: [2, 1], activation: 'tanh' }), { kind: 'mse', reduction: 'sum-outputs', halved: false });
const x: NpyArray = { dtype: 'float32', shape: [4, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
const labels: NpyArray = { dtype: 'int64', shape: [4], data: BigInt64Array.of(0n, 1n, 2n, 0n) };
const theta = Float32Array.of(0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8, 0.9);

const opened: CompiledModel[] = [];
const open = (...[options]: Parameters<typeof createProbeModel>): CompiledModel => {
  const model = createProbeModel({ threads: 1, ...options });
  opened.push(model);
  return model;
};
afterAll(async () => {
  for (const model of opened) await model.close();
});

describe('createProbeModel', () => {
  it('takes x and y of any dtype that can mean the same', async () => {
    const same: [NpyArray, NpyArray][] = [
      [x, labels],
      [
        { ...x, dtype: 'float64', data: Float64Array.from(x.data as Float32Array) },
        { ...labels, dtype: 'uint8', data: Uint8Array.of(0, 1, 2, 0) },
      ],
      [
        { ...x, dtype: 'uint8', data: Uint8Array.from(x.data as Float32Array) },
        { ...labels, dtype: 'int32', data: Int32Array.of(0, 1, 2, 0) },
      ],
    ];
    const losses = await Promise.all(same.map(([xs, ys]) => open({ graph: classes, probeSet: { x: xs, y: ys } }).loss(theta)));
    expect(losses[0]).toBeGreaterThan(0);
    expect(new Set(losses).size).toBe(1);
  });

  it('takes targets of one output with and without its axis', async () => {
    const y: NpyArray = { dtype: 'float32', shape: [4], data: Float32Array.of(1, 0, 1, 0) };
    const flat = await open({ graph: values, probeSet: { x, y } }).loss(Float32Array.of(0.1, 0.2, 0.3));
    const column = await open({ graph: values, probeSet: { x, y: { ...y, shape: [4, 1] } } }).loss(
      Float32Array.of(0.1, 0.2, 0.3),
    );
    expect(flat).toBe(column);
  });

  it.each([
    ['a class without an output', { x, y: { ...labels, data: BigInt64Array.of(0n, 1n, 3n, 0n) } }, 'y'],
    ['a negative class', { x, y: { ...labels, data: BigInt64Array.of(0n, 1n, -1n, 0n) } }, 'y'],
    ['targets where classes are needed', { x, y: { ...x, shape: [4, 2] } }, 'y'],
    ['another number of features', { x: { ...x, shape: [2, 4] }, y: labels }, 'x'],
    ['another number of labels', { x, y: { ...labels, shape: [2], data: BigInt64Array.of(0n, 1n) } }, 'y'],
    [
      'no examples',
      { x: { ...x, shape: [0, 2], data: new Float32Array(0) }, y: { ...labels, shape: [0], data: new BigInt64Array(0) } },
      'x',
    ],
  ])('refuses %s', (_, probeSet, field) => {
    expect(() => createProbeModel({ graph: classes, probeSet })).toThrow(
      expect.objectContaining({
        name: 'StagewatchError',
        code: 'PROBE_SET_MISMATCH',
        detail: expect.objectContaining({ field }),
      }),
    );
  });

  it('plans for the memory that it has', () => {
    const plan = (memoryBytes: number) => open({ graph: classes, probeSet: { x, y: labels }, memoryBytes }).plan;
    expect(plan(1e9)).toEqual({ chunkExamples: 4, chunks: 1, keptChunks: 1, vectorsAtOnce: 4 });
    expect(plan(1)).toEqual({ chunkExamples: 1, chunks: 4, keptChunks: 0, vectorsAtOnce: 1 });
  });
});

describe('readProbeSet', () => {
  it('needs x and y', () => {
    expect(readProbeSet(writeNpz({ x, y: labels, other: x }))).toEqual({ x, y: labels });
    expect(() => readProbeSet(writeNpz({ x, labels }))).toThrow(
      expect.objectContaining({ code: 'PROBE_SET_MISMATCH', detail: expect.objectContaining({ field: 'y' }) }),
    );
  });
});

describe('loadModel', () => {
  it.each(['onnx', 'tfjs-layers'] as const)('blames a damaged %s file on whoever sent it', (format) => {
    const loss = { kind: 'mse', reduction: 'sum-outputs', halved: false } as const;
    expect(() => loadModel({ format, bytes: Buffer.from('not a model'), parameters: ['w'], loss })).toThrow(
      expect.objectContaining({ name: 'StagewatchError', code: 'UNSUPPORTED_MODEL' }),
    );
  });
});
