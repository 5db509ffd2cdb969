import { join } from 'node:path';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { afterEach, expect, it } from 'vitest';
import { attachTfjs } from '#probe-node/index.js';
import { flatten } from '#wire/tensors.js';
import { startCollector, type TestCollector } from '../../apps/collector/testing/start-collector.js';

let service: TestCollector | undefined;
afterEach(() => service?.remove());

it('node probe - a tfjs model is described, and every snapshot holds the weights before its update', async () => {
  await tf.setBackend('cpu');
  service = await startCollector();
  const model = layers.sequential({
    layers: [
      layers.layers.dense({ units: 4, activation: 'tanh', inputShape: [3], name: 'hidden' }),
      layers.layers.dense({ units: 2, name: 'out' }),
    ],
  });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const x = Float32Array.from({ length: 24 }, (_, i) => Math.sin(i));
  const y = Float32Array.from({ length: 16 }, (_, i) => Math.cos(i));
  const warnings: string[] = [];
  const run = attachTfjs(model, {
    address: service.address,
    name: 'tfjs',
    secretFolder: join(service.dataDir, 'secrets'),
    optimizer: { name: 'sgd', learningRate: 0.01 },
    loss: { kind: 'mse' },
    train: { x: { shape: [8, 3], data: x }, y: { shape: [8, 2], data: y } },
    warn: (text) => warnings.push(text),
  });
  const before = run.tensors().flatMap(({ data }) => [...data]);
  await model.fit(tf.tensor2d(x, [8, 3]), tf.tensor2d(y, [8, 2]), {
    batchSize: 8,
    epochs: 14,
    callbacks: run.callbacks(),
  });
  expect((await run.end()).delivered).toBe(true);
  expect(warnings).toEqual([]);
  const all = (await service.records()).map(({ envelope }) => envelope);
  expect(all.find(({ model }) => model)?.model).toMatchObject({
    format: 'MODEL_FORMAT_TFJS_LAYERS',
    parameters: ['hidden/kernel', 'hidden/bias', 'out/kernel', 'out/bias'],
  });
  const losses = all.flatMap(({ record }) => record?.scalars?.values.filter((_, i) => record.scalars!.nameIndex[i] === 0) ?? []);
  expect(losses).toHaveLength(14);
  expect(losses.at(-1)).toBeLessThan(losses[0]!);
  const snapshots = all.flatMap(({ record }) => (record?.snapshot ? [record] : []));
  expect(snapshots.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]);
  const first = snapshots[0]!.snapshot!;
  expect([...flatten(await service.blobs.read(first.blob), first.tensors)]).toEqual(before);
  expect(first.tensors.map(({ name, shape }) => [name, shape])).toEqual([
    ['hidden/kernel', [3, 4]],
    ['hidden/bias', [4]],
    ['out/kernel', [4, 2]],
    ['out/bias', [2]],
  ]);
});
