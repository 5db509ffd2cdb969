import { describe, expect, it } from 'vitest';
import type { OptimizerConstants } from './instrument.js';
import { measureSnapshot, snapshotInstruments, type SnapshotReadings } from './measure-snapshot.js';
import { quadraticModel } from './testing/quadratic-model.js';

const sgd: OptimizerConstants = {
  name: 'sgd',
  momentum: 0,
  dampening: 0,
  nesterov: false,
  beta1: 0,
  weightDecay: 0,
  decoupledDecay: false,
};
const spectrum = [40, 25, 10, 4, ...Array.from({ length: 60 }, (_, i) => Math.cos(i))];
const theta = Float32Array.from(spectrum, (_, i) => Math.sin(i + 1));
const value = ({ readings }: SnapshotReadings, name: string, key = '') =>
  readings.find((reading) => reading.name === name && reading.key === key)?.value;
const measure = (changes: Partial<Parameters<typeof measureSnapshot>[0]> = {}) =>
  measureSnapshot({ model: quadraticModel(spectrum), probeDigest: 'd1', theta, learningRate: 0.04, optimizer: sgd, ...changes });

describe('measureSnapshot', () => {
  it('measures everything that gradient descent has', async () => {
    const model = quadraticModel(spectrum);
    const result = await measure({ model });
    const point = await model.gradient(theta);
    expect(value(result, 'loss.probe')).toBe(point.loss);
    expect(value(result, 'gradient.norm')).toBeCloseTo(Math.hypot(...point.gradient), 5);
    expect(value(result, 'sharpness')).toBeCloseTo(40, 2);
    expect(value(result, 'sharpness.threshold')).toBe(50);
    expect(value(result, 'edge.ratio')).toBeCloseTo(0.8, 4);
    expect(value(result, 'curvature.top', '1')).toBe(value(result, 'sharpness'));
    expect(value(result, 'curvature.top', '2')).toBeCloseTo(25, 1);
    const all = snapshotInstruments
      .filter(({ isFor }) => isFor === undefined)
      .map(({ name }) => [name, { on: true, reason: '' }]);
    expect(result.instruments).toEqual(Object.fromEntries(all));
    const sharpness = result.readings.find(({ name }) => name === 'sharpness')!;
    expect(sharpness).toMatchObject({ device: 'test', probeDigest: 'd1', products: model.asked.products });
    expect(Math.abs(sharpness.value - 40)).toBeLessThanOrEqual(sharpness.bound);
    expect(sharpness.bound).toBeLessThanOrEqual(0.04);
  });

  it('starts from what the measurement before left, which survives being written down', async () => {
    const first = await measure();
    const model = quadraticModel(spectrum.map((x) => 1.01 * x));
    const previous = structuredClone(first.state);
    const second = await measure({ model, previous });
    expect(value(second, 'sharpness')).toBeCloseTo(40.4, 1);
    expect(model.asked.products).toBeLessThan(first.readings.find(({ name }) => name === 'sharpness')!.products);
  });

  it('adds a coupled decay to the sharpness, and not a decoupled one', async () => {
    const coupled = await measure({ optimizer: { ...sgd, weightDecay: 0.5 } });
    expect(value(coupled, 'sharpness')).toBeCloseTo(40.5, 2);
    expect(value(coupled, 'curvature.top', '1')).toBeCloseTo(40, 2);
    expect(value(coupled, 'edge.ratio')).toBeCloseTo(0.81, 4);
    expect(value(await measure({ optimizer: { ...sgd, weightDecay: 0.5, decoupledDecay: true } }), 'sharpness')).toBeCloseTo(
      40,
      2,
    );
  });

  it('has a threshold and no ratio for Adam, and says why', async () => {
    const result = await measure({ optimizer: { ...sgd, name: 'adam', beta1: 0.9 } });
    expect(value(result, 'sharpness.threshold')).toBeCloseTo(950, 6);
    expect(value(result, 'edge.ratio')).toBeUndefined();
    expect(result.instruments['edge.ratio']).toMatchObject({
      on: false,
      reason: expect.stringContaining('sharpness.preconditioned'),
    });
  });

  it.each([
    [{ optimizer: { ...sgd, name: 'lion' } }, "'lion'"],
    [{ learningRate: Number.NaN }, 'NaN'],
  ])('is off where there is no threshold: %o', async (changes, reason) => {
    const { instruments } = await measure(changes);
    expect(instruments['sharpness']).toMatchObject({ on: true });
    expect(instruments['sharpness.threshold']).toMatchObject({ on: false, reason: expect.stringContaining(reason) });
    expect(instruments['edge.ratio']).toMatchObject({ on: false });
  });

  it('has an infinite threshold at a learning rate of 0', async () => {
    const result = await measure({ learningRate: 0 });
    expect(value(result, 'sharpness.threshold')).toBe(Number.POSITIVE_INFINITY);
    expect(value(result, 'edge.ratio')).toBe(0);
  });

  it('spends no product on curvature that must not be believed', async () => {
    const model = quadraticModel(spectrum);
    const result = await measure({ model, curvatureOff: 'the check failed' });
    expect(model.asked).toEqual({ gradients: 1, products: 0 });
    expect(value(result, 'loss.probe')).toBeGreaterThan(0);
    expect(result.instruments['sharpness']).toEqual({ on: false, reason: 'the check failed' });
    expect(result.instruments['edge.ratio']).toMatchObject({ on: false });
    expect(result.instruments['loss.probe']).toMatchObject({ on: true });
  });

  it('tells a diverged run as it is, and keeps the vectors for when it comes back', async () => {
    const { state } = await measure();
    const model = quadraticModel(spectrum.map(() => Number.NaN));
    const result = await measure({ model, previous: state });
    expect(value(result, 'loss.probe')).toBeNaN();
    expect(value(result, 'gradient.norm')).toBeNaN();
    expect(value(result, 'sharpness')).toBeUndefined();
    expect(result.instruments['sharpness']).toMatchObject({ on: false, reason: expect.stringContaining('not finite') });
    expect(result.state).toBe(state);
  });

  it('follows every eigenvalue near the threshold', async () => {
    const many = [49, 48, 47, 46, 45, 44, 20, ...Array.from({ length: 60 }, (_, i) => Math.cos(i))];
    const model = quadraticModel(many);
    const first = await measure({ model, theta: Float32Array.from(many, () => 1) });
    const second = await measure({ model, theta: Float32Array.from(many, () => 1), previous: first.state });
    expect(value(second, 'curvature.top', '6')).toBeCloseTo(44, 0);
    expect(value(second, 'curvature.top', '7')).toBeLessThan(37.5);
    expect(value(second, 'curvature.top', '8')).toBeUndefined();
  });
});
