import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isPreconditioned, stabilityThreshold, type ThresholdOptimizer } from './stability-threshold.js';

interface GoldenRow {
  opt: 'gd' | 'polyak' | 'nesterov' | 'adam' | 'nadam';
  eta: number;
  beta: number;
  dampening: number;
  Theta: number;
}

const golden = JSON.parse(readFileSync('test/golden/thresholds.json', 'utf8')) as { rows: GoldenRow[] };
const plain: ThresholdOptimizer = { name: 'sgd', momentum: 0, dampening: 0, nesterov: false, beta1: 0 };

function fromGolden(row: GoldenRow): ThresholdOptimizer {
  if (row.opt === 'adam' || row.opt === 'nadam') return { ...plain, name: row.opt, beta1: row.beta };
  return { ...plain, momentum: row.beta, dampening: row.dampening, nesterov: row.opt === 'nesterov' };
}

describe('stabilityThreshold', () => {
  it.each(golden.rows)('golden: $opt, eta $eta, beta $beta, dampening $dampening', (row) => {
    const threshold = stabilityThreshold(fromGolden(row), row.eta)!;
    expect(Math.abs(threshold / row.Theta - 1)).toBeLessThan(1e-12);
  });

  it('is where the iteration of a dampened Nesterov step begins to grow', () => {
    for (const [beta, damp] of [
      [0.9, 0.5],
      [0.5, 0.9],
      [0.3, 0.1],
    ] as const) {
      const eta = 0.1;
      const threshold = stabilityThreshold({ ...plain, momentum: beta, dampening: damp, nesterov: true }, eta)!;
      const grows = (curvature: number): boolean => {
        let [theta, velocity] = [1, 0];
        for (let step = 0; step < 20_000; step++) {
          velocity = beta * velocity + (1 - damp) * curvature * theta;
          theta -= eta * (curvature * theta + beta * velocity);
        }
        return !(Math.abs(theta) < 1);
      };
      expect([grows(0.999 * threshold), grows(1.001 * threshold)]).toEqual([false, true]);
    }
  });

  it.each([0, 0.9])('with a rate for each group is where their iteration begins to grow on λ1(P⁻¹H), momentum %s', (momentum) => {
    const hessian = [
      [3, 1],
      [1, 2],
    ] as const;
    const rates = [0.5, 0.02] as const;
    // Of D½HD½, by hand: half the trace and the root of what the determinant leaves.
    const [p, q, r] = [rates[0] * hessian[0][0], rates[1] * hessian[1][1], Math.sqrt(rates[0] * rates[1]) * hessian[0][1]];
    const sharpness = (p + q) / 2 + Math.hypot((p - q) / 2, r);
    const rule = { momentum, dampening: 0, nesterov: false, beta1: 0 };
    const threshold = stabilityThreshold(
      { ...plain, ...rule, groups: rates.map((learningRate) => ({ learningRate, ...rule })) },
      0.5,
    )!;
    expect(threshold).toBeCloseTo(2 + 2 * momentum, 12);
    const grows = (factor: number): boolean => {
      let [theta, velocity] = [
        [1, 1],
        [0, 0],
      ];
      for (let step = 0; step < 20_000; step++) {
        const gradient = hessian.map((row) => factor * (row[0] * theta[0]! + row[1] * theta[1]!));
        velocity = velocity.map((v, i) => momentum * v + gradient[i]!);
        theta = theta.map((x, i) => x - rates[i]! * velocity[i]!);
      }
      return !(Math.hypot(...theta) < 1);
    };
    const scale = threshold / sharpness;
    expect([grows(0.999 * scale), grows(1.001 * scale)]).toEqual([false, true]);
  });

  it('has none for groups whose other constants differ, nor for an adaptive one with rates of their own', () => {
    const group = { learningRate: 0.1, momentum: 0.9, dampening: 0, nesterov: false, beta1: 0 };
    const sgd = { ...plain, momentum: 0.9 };
    expect(stabilityThreshold({ ...sgd, groups: [group, group] }, 0.1)).toBeCloseTo(38, 12);
    expect(stabilityThreshold({ ...sgd, groups: [group, { ...group, momentum: 0.5 }] }, 0.1)).toBeUndefined();
    const adam = { ...plain, name: 'adam', beta1: 0.9 };
    const slow = { ...group, beta1: 0.9, learningRate: 0.01 };
    expect(stabilityThreshold({ ...adam, groups: [{ ...slow, learningRate: 0.1 }, slow] }, 0.1)).toBeUndefined();
    expect(stabilityThreshold({ ...adam, groups: [slow, slow] }, 0.01)).toBeCloseTo(3800, 9);
  });

  it('takes RMSprop as its momentum says', () => {
    expect(stabilityThreshold({ ...plain, name: 'rmsprop' }, 0.01)).toBe(200);
    expect(stabilityThreshold({ ...plain, name: 'rmsprop', momentum: 0.9 }, 0.01)).toBeCloseTo(380, 9);
  });

  it('has no value for an unknown optimizer or an impossible constant', () => {
    expect(stabilityThreshold({ ...plain, name: 'lion' }, 0.1)).toBeUndefined();
    for (const rate of [Number.NaN, Number.POSITIVE_INFINITY, -1]) expect(stabilityThreshold(plain, rate)).toBeUndefined();
    expect(stabilityThreshold({ ...plain, momentum: 1 }, 0.1)).toBeUndefined();
    expect(stabilityThreshold({ ...plain, dampening: 1 }, 0.1)).toBeUndefined();
    expect(stabilityThreshold({ ...plain, name: 'adam', beta1: 1 }, 0.1)).toBeUndefined();
    expect(stabilityThreshold(plain, 0)).toBe(Number.POSITIVE_INFINITY);
  });

  it('knows which optimizers are judged on the preconditioned Hessian', () => {
    expect(['sgd', 'Adam', 'adamw', 'nadam', 'rmsprop', 'lion'].map(isPreconditioned)).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
  });
});
