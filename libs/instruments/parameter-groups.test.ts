import { describe, expect, it } from 'vitest';
import { symmetricEigen } from '#math/jacobi-eigen.js';
import { createRandom } from '#math/random.js';
import type { OptimizerConstants, OptimizerGroup } from './instrument.js';
import { measureSnapshot, type SnapshotReadings } from './measure-snapshot.js';
import { denseQuadraticModel } from './testing/quadratic-model.js';

const size = 30;
const weights = 20;
const random = createRandom(5);
const half = Array.from({ length: size }, () => Array.from({ length: size }, () => random.normal()));
const hessian = half.map((row, i) => row.map((x, j) => (x + half[j]![i]!) / 2));
const theta = Float32Array.from({ length: size }, () => 1);
const group = (parameters: readonly string[], changes: Partial<OptimizerGroup> = {}): OptimizerGroup => ({
  learningRate: 0.1,
  momentum: 0,
  dampening: 0,
  nesterov: false,
  beta1: 0,
  weightDecay: 0,
  parameters,
  ...changes,
});
const sgd: OptimizerConstants = {
  name: 'sgd',
  momentum: 0,
  dampening: 0,
  nesterov: false,
  beta1: 0,
  weightDecay: 0,
  decoupledDecay: false,
};
const measure = (optimizer: OptimizerConstants, learningRate = 0.1): Promise<SnapshotReadings> =>
  measureSnapshot({
    model: denseQuadraticModel(hessian, { weight: weights, bias: size - weights }),
    probeDigest: 'd',
    theta,
    learningRate,
    optimizer,
    relativeTolerance: 1e-6,
  });
const reading = ({ readings }: SnapshotReadings, name: string) => readings.find((one) => one.name === name && one.key === '')!;

/** λ1 of D½(H + W)D½, dense and in float64. */
function dense(rates: (i: number) => number, decay: (i: number) => number): number {
  const entry = (i: number, j: number): number => Math.sqrt(rates(i) * rates(j)) * (hessian[i]![j]! + (i === j ? decay(i) : 0));
  return Math.max(...symmetricEigen(size, entry)!.values);
}
const isWeight = (i: number): boolean => i < weights;

describe('groups of parameters', () => {
  it('no decay on biases, one rate: its threshold, and the sharpness of the loss that is stepped', async () => {
    const groups = [group(['weight'], { weightDecay: 0.5 }), group(['bias'])];
    const result = await measure({ ...sgd, weightDecay: 0.5, groups });
    expect(reading(result, 'sharpness.threshold').value).toBe(20);
    const truth = dense(
      () => 1,
      (i) => (isWeight(i) ? 0.5 : 0),
    );
    const { value, bound } = reading(result, 'sharpness');
    expect(Math.abs(value - truth)).toBeLessThanOrEqual(bound);
    expect(bound).toBeLessThan(0.5);
    expect(reading(result, 'edge.ratio').value).toBeCloseTo(value / 20, 12);
  });

  it.each([1, 0.25])(
    'rates of their own: λ1(P⁻¹H) against 2, after the schedule has made them %s of what they were',
    async (factor) => {
      const groups = [group(['weight'], { weightDecay: 0.5 }), group(['bias'], { learningRate: 0.01 })];
      const result = await measure({ ...sgd, weightDecay: 0.5, groups }, 0.1 * factor);
      const truth = dense(
        (i) => factor * (isWeight(i) ? 0.1 : 0.01),
        (i) => (isWeight(i) ? 0.5 : 0),
      );
      const { value, bound } = reading(result, 'sharpness.preconditioned');
      expect(Math.abs(value - truth)).toBeLessThanOrEqual(bound);
      expect(Math.abs(value / truth - 1)).toBeLessThan(1e-5);
      expect(reading(result, 'sharpness.threshold').value).toBe(2);
      expect(reading(result, 'edge.ratio').value).toBeCloseTo(value / 2, 12);
    },
  );

  it('rates of their own, and nobody knows whose: no ratio, and the reason', async () => {
    const result = await measure({ ...sgd, groups: [group([]), group([], { learningRate: 0.01 })] });
    expect(result.instruments['sharpness.preconditioned']).toMatchObject({
      on: false,
      reason: expect.stringContaining('which of the rates'),
    });
    expect(result.instruments['edge.ratio']).toMatchObject({ on: false });
  });

  it('other constants that differ have no one threshold, and that is said', async () => {
    const result = await measure({ ...sgd, groups: [group(['weight']), group(['bias'], { momentum: 0.9 })] });
    expect(result.instruments['sharpness.threshold']).toMatchObject({ on: false, reason: expect.stringContaining('groups') });
  });
});
