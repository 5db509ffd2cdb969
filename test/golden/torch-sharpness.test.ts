import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkProduct, createProbeModel, loadModel } from '#engine/index.js';
import { compareReference, measureSnapshot, type SnapshotReadings } from '#instruments/index.js';

interface Case {
  readonly activation: string;
  readonly lr: number;
  readonly parameters: readonly string[];
  readonly onnx: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly points: readonly {
    readonly step: number;
    readonly theta: readonly number[];
    readonly loss: number;
    readonly gradientNorm: number;
    readonly top: readonly number[];
  }[];
}

// Made by torch_sharpness.py: PyTorch's own double backward in double precision, at weights along a run.
const golden = JSON.parse(readFileSync(new URL('torch_sharpness.json', import.meta.url), 'utf8')) as { cases: readonly Case[] };
const optimizer = { name: 'sgd', momentum: 0, dampening: 0, nesterov: false, beta1: 0, weightDecay: 0, decoupledDecay: false };

describe.each(golden.cases)('a $activation network as PyTorch exported it', (golden) => {
  const open = () =>
    createProbeModel({
      graph: loadModel({
        format: 'onnx',
        bytes: Buffer.from(golden.onnx, 'base64'),
        parameters: golden.parameters,
        loss: { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false },
      }),
      probeSet: {
        x: { dtype: 'float32', shape: [96, 10], data: Float32Array.from(golden.x) },
        y: { dtype: 'int64', shape: [96], data: BigInt64Array.from(golden.y, BigInt) },
      },
      threads: 1,
    });

  it.each([3e-4, 1e-4])('has the eigenvalues of double backward, at a tolerance of %d', async (relativeTolerance) => {
    const model = open();
    let previous: SnapshotReadings['state'];
    for (const { theta: numbers, top, loss, gradientNorm } of golden.points) {
      const theta = Float32Array.from(numbers);
      expect(await checkProduct(model, theta)).toMatchObject({ ok: true });
      const measured = await measureSnapshot({
        model, theta, optimizer, previous, relativeTolerance,
        probeDigest: '', learningRate: golden.lr,
      });
      previous = measured.state;
      const value = (name: string, key = '') => measured.readings.find((r) => r.name === name && r.key === key)!;
      const ours = { loss: value('loss.probe').value, gradientNorm: value('gradient.norm').value };
      expect(compareReference({ loss, gradientNorm }, ours)).toMatchObject({ ok: true });
      const sharpness = value('sharpness');
      expect(Math.abs(sharpness.value - top[0]!) / top[0]!).toBeLessThan(relativeTolerance);
      expect(Math.abs(sharpness.value - top[0]!)).toBeLessThan(sharpness.bound + 1e-6);
      expect(Math.abs(value('curvature.top', '2').value - top[1]!)).toBeLessThan(value('curvature.top', '2').bound + 1e-6);
    }
    await model.close();
  });
});
