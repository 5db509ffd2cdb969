import { describe, expect, it } from 'vitest';
import { createRandom, normalVector } from './random.js';

describe('createRandom', () => {
  it('repeats itself for a seed and differs between seeds', () => {
    const draw = (seed: number) => {
      const random = createRandom(seed);
      return Array.from({ length: 5 }, () => random.uniform());
    };
    expect(draw(7)).toEqual(draw(7));
    const a = createRandom(1);
    const b = createRandom(2);
    expect(Array.from({ length: 100 }, () => a.uniform() === b.uniform())).not.toContain(true);
  });

  it('follows xoshiro128** from a known state', () => {
    // First outputs of the recurrence, computed with 64-bit integers.
    const state = [0n, 0n, 0n, 0n];
    let mix = 5n;
    const m = 0xffffffffn;
    for (let i = 0; i < 4; i++) {
      mix = (mix + 0x9e3779b9n) & m;
      let z = ((mix ^ (mix >> 16n)) * 0x85ebca6bn) & m;
      z = ((z ^ (z >> 13n)) * 0xc2b2ae35n) & m;
      state[i] = z ^ (z >> 16n);
    }
    const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & m;
    const random = createRandom(5);
    for (let i = 0; i < 1000; i++) {
      const result = (rotate((state[1]! * 5n) & m, 7n) * 9n) & m;
      const t = (state[1]! << 9n) & m;
      state[2]! ^= state[0]!;
      state[3]! ^= state[1]!;
      state[1]! ^= state[2]!;
      state[0]! ^= state[3]!;
      state[2]! ^= t;
      state[3] = rotate(state[3]!, 11n);
      expect(random.uniform()).toBe(Number(result) / 2 ** 32);
    }
  });

  it('draws the moments of uniform and normal numbers', () => {
    const random = createRandom(11);
    const n = 200_000;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += random.uniform();
    expect(Math.abs(sum / n - 0.5)).toBeLessThan(4 / Math.sqrt(12 * n));
    const x = normalVector(n, random);
    const moment = (k: number) => x.reduce((s, v) => s + v ** k, 0) / n;
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
  });

  it('draws integers below the limit, all of them', () => {
    const random = createRandom(3);
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(7)));
    expect([...seen].sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});
