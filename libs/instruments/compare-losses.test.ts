import { describe, expect, it } from 'vitest';
import { createRandom } from '#math/random.js';
import { lossesApart, type LossPair } from './compare-losses.js';

/** Falling losses, whose batches have this ratio to the probe set on average and this much noise. */
function pairs(ratio: number, noise: number, count = 30, seed = 1): LossPair[] {
  const random = createRandom(seed);
  return Array.from({ length: count }, (_, i) => {
    const probe = 2 * Math.exp(-i / 20);
    return { probe, train: probe * ratio * (1 + noise * random.normal()) };
  });
}

describe('lossesApart', () => {
  it('names the factor of a full batch that is another loss', () => {
    expect(lossesApart(pairs(1.037, 0), true)).toContain('1.04 times');
    expect(lossesApart(pairs(0.964, 1e-4), true)).toContain('0.964 times');
    expect(lossesApart(pairs(2, 0.3), false)).toMatch(/times the loss measured/);
  });

  it('has nothing to say while they agree, or nobody knows', () => {
    expect(lossesApart(pairs(1.001, 1e-3), true)).toBeUndefined();
    expect(lossesApart(pairs(2, 0, 11), true)).toBeUndefined();
    expect(lossesApart(pairs(1.3, 0.1), false)).toBeUndefined();
    expect(lossesApart([...pairs(1, 0), { train: Number.NaN, probe: 1 }, { train: 1, probe: 0 }], true)).toBeUndefined();
  });

  it('is silent for noise, in 2000 runs of mini-batches', () => {
    const seeds = Array.from({ length: 2000 }, (_, seed) => seed);
    expect(seeds.filter((seed) => lossesApart(pairs(1, 0.8, 12 + (seed % 19), seed), false) !== undefined)).toEqual([]);
  });

  it('is silent where one example in fifty carries the loss', () => {
    const silent = Array.from({ length: 500 }, (_, seed) => {
      const random = createRandom(seed + 7);
      const heavy = Array.from({ length: 30 }, () => {
        const hard =
          Array.from({ length: 32 }, () => (random.integer(50) === 0 ? 50 : 0)).reduce<number>((a, b) => a + b, 0) / 32;
        return { train: hard, probe: 1 };
      });
      return lossesApart(heavy, false);
    });
    expect(silent.filter((reason) => reason !== undefined)).toEqual([]);
  });
});
