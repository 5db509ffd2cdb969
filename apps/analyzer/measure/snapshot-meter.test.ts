import { afterEach, describe, expect, it } from 'vitest';
import { createProbeModel, loadModel, readProbeSet } from '#engine/index.js';
import { symmetricEigen } from '#math/jacobi-eigen.js';
import { goldenModel, inMemory } from '../testing/golden-model.js';
import type { MeasureJob, MeasureResult } from './measurer.js';
import { SnapshotMeter } from './snapshot-meter.js';

const settings = { memoryBytes: 64 * 1024 ** 2, threads: 1 };
let meter = new SnapshotMeter(settings);
afterEach(async () => {
  await meter.close();
  meter = new SnapshotMeter(settings);
});

const valueOf = (result: MeasureResult, name: string): number | undefined =>
  result.readings.find((reading) => reading.name === name)?.value;
const offOf = (result: MeasureResult): Record<string, string> =>
  Object.fromEntries(Object.entries(result.instruments).flatMap(([name, { on, reason }]) => (on ? [] : [[name, reason]])));

/** λ1 of the dense Hessian in double precision. */
async function denseTop(job: MeasureJob, theta: readonly number[]): Promise<number> {
  const graph = loadModel({
    format: 'onnx',
    bytes: await job.artifact('graph').read(),
    parameters: job.model.parameters,
    loss: { kind: 'cross-entropy', reduction: 'sum-outputs', halved: false },
  });
  const probeSet = readProbeSet(await job.artifact('probe').read());
  const model = createProbeModel({ graph, probeSet, executor: 'reference' });
  const point = await model.linearize(Float32Array.from(theta));
  const size = model.parameterCount;
  const basis = Array.from({ length: size }, (_, i) => Float32Array.from({ length: size }, (_, j) => (i === j ? 1 : 0)));
  const rows = await point.multiply(basis);
  await point.close();
  await model.close();
  return Math.max(...symmetricEigen(size, (i, j) => rows[i]![j]!)!.values);
}

describe('SnapshotMeter', () => {
  it("agrees with PyTorch's loss and gradient, and with the dense Hessian", async () => {
    const { golden, job } = goldenModel();
    const result = await meter.measure(job);
    expect(offOf(result)).toEqual({});
    expect(result.check).toMatchObject({ ok: true });
    expect(valueOf(result, 'loss.probe')).toBeCloseTo(golden.loss, 5);
    expect(valueOf(result, 'gradient.norm')).toBeCloseTo(Math.hypot(...golden.gradient), 5);
    const top = await denseTop(job, golden.theta);
    const sharpness = result.readings.find(({ name }) => name === 'sharpness')!;
    expect(Math.abs(sharpness.value / top - 1)).toBeLessThan(1e-3);
    expect(sharpness.products).toBeGreaterThan(0);
    expect(sharpness).toMatchObject({ key: '', device: 'ort-cpu', probeDigest: 'probe' });
    expect(valueOf(result, 'sharpness.threshold')).toBe(4);
    expect(valueOf(result, 'edge.ratio')).toBeCloseTo(sharpness.value / 4, 12);
  });

  it('measures the same from the same start, cheaper than cold', async () => {
    const { job } = goldenModel();
    const cold = await meter.measure(job);
    const warm = await meter.measure({ ...job, step: 1, tracker: cold.tracker, check: false });
    const other = new SnapshotMeter(settings);
    const again = await other.measure({ ...job, step: 1, tracker: Buffer.from(cold.tracker!), check: false });
    await other.close();
    const products = (result: MeasureResult) => result.readings.find(({ name }) => name === 'sharpness')!.products;
    expect(products(warm)).toBeLessThan(products(cold));
    expect(valueOf(again, 'sharpness')).toBe(valueOf(warm, 'sharpness'));
    expect(Buffer.compare(Buffer.from(again.tracker!), Buffer.from(warm.tracker!))).toBe(0);
  });

  it('does not show curvature of another network than the one that trains, and goes on with the rest', async () => {
    const { job } = goldenModel();
    const result = await meter.measure({ ...job, model: { ...job.model, referenceLoss: 2 } });
    expect(result.check?.ok).toBe(false);
    expect(offOf(result)['sharpness']).toMatch(/loss/i);
    expect(offOf(result)).not.toHaveProperty('loss.probe');
    expect(valueOf(result, 'sharpness')).toBeUndefined();
    const later = await meter.measure({ ...job, step: 1, check: false, curvatureOff: result.check!.reason });
    expect(offOf(later)['sharpness']).toBe(result.check!.reason);
    expect(valueOf(later, 'loss.probe')).toBeDefined();
  });

  it('says why nothing can be measured: a graph or a snapshot that does not fit', async () => {
    const { job } = goldenModel();
    const garbage = await meter.measure({ ...job, artifact: () => inMemory(Buffer.from('garbage')) });
    expect(Object.keys(offOf(garbage)).length).toBeGreaterThanOrEqual(5);
    expect(garbage.readings).toEqual([]);
    const short = await meter.measure({ ...job, tensors: job.tensors.slice(1) });
    expect(offOf(short)['sharpness']).toMatch(/0\.weight.*missing/);
  });

  it('knows no threshold for adaptive and unknown optimizers, and no edge ratio either', async () => {
    const { job } = goldenModel();
    const adam = await meter.measure({ ...job, optimizer: { ...job.optimizer, name: 'adam', beta1: 0.9 } });
    expect(offOf(adam)).toHaveProperty(['edge.ratio']);
    expect(valueOf(adam, 'sharpness')).toBeDefined();
    const lion = await meter.measure({ ...job, optimizer: { ...job.optimizer, name: 'lion' } });
    expect(Object.keys(offOf(lion)).sort()).toEqual(['edge.ratio', 'sharpness.threshold']);
    const unknown = await meter.measure({ ...job, learningRate: Number.NaN });
    expect(Object.keys(offOf(unknown)).sort()).toEqual(['edge.ratio', 'sharpness.threshold']);
  });
});
