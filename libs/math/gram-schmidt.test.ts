import { describe, expect, it } from 'vitest';
import { orthonormalBlock, orthonormalPart } from './gram-schmidt.js';
import { createHostSpace } from './host-space.js';
import { createRandom, normalVector } from './random.js';
import { addCombination, dot, dots, isFiniteVector, norm } from './vectors.js';

const random = createRandom(1);
const block = (count: number, size: number) => Array.from({ length: count }, () => normalVector(size, random));

describe('vectors', () => {
  it.each([0, 1, 3, 4, 5, 8, 1001])('agrees with plain sums for size %i and any number of vectors', (size) => {
    const x = normalVector(size, random);
    const vectors = block(7, size);
    const plain = vectors.map((v) => v.reduce((s, a, i) => s + a * x[i]!, 0));
    Array.from(dots(vectors, x)).forEach((value, i) => expect(value).toBeCloseTo(plain[i]!, 10));
    expect(dot(x, x)).toBeCloseTo(norm(x) ** 2, 10);
    const sum = Float32Array.from(x);
    addCombination(sum, vectors, [1, 2, 3, 4, 5, 6, 7]);
    for (let i = 0; i < size; i++) {
      expect(sum[i]).toBeCloseTo(
        vectors.reduce((s, v, j) => s + (j + 1) * v[i]!, x[i]!),
        4,
      );
    }
  });

  it('sees one value that is not finite', () => {
    const x = new Float32Array(9);
    expect(isFiniteVector(x)).toBe(true);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      x[7] = bad;
      expect(isFiniteVector(x)).toBe(false);
    }
  });
});

describe('orthonormalBlock', () => {
  const space = createHostSpace(500);

  it.each([1, 1e-20, 1e20])('is orthonormal to rounding at scale %d, for nearly dependent vectors too', async (size) => {
    const base = normalVector(500, random);
    const candidates = block(6, 500).map((v, k) => v.map((x, i) => size * (base[i]! + 10 ** -k * x)));
    const q = await orthonormalBlock(space, await space.fromHost(candidates));
    expect(q.count).toBe(6);
    const gram = await space.gram(q, q);
    for (let i = 0; i < 6; i++) {
      for (let j = 0; j <= i; j++) expect(Math.abs(gram[i]![j]! - (i === j ? 1 : 0))).toBeLessThan(4e-7);
    }
  });

  it('leaves out what the basis already spans, zero, and what is not finite', async () => {
    const small = createHostSpace(50);
    const [a, b] = block(2, 50) as [Float32Array, Float32Array];
    const q = await orthonormalBlock(small, await small.fromHost([a, b]));
    const spanned = await small.fromHost([a.map((x, i) => 3 * x - b[i]!), new Float32Array(50), a.map(() => Number.NaN)]);
    expect((await orthonormalBlock(small, spanned, q)).count).toBe(0);
    const everything = await orthonormalBlock(small, await small.fromHost(block(50, 50)));
    expect(await orthonormalPart(small, await small.fromHost([a]), everything)).toBeUndefined();
    expect((await orthonormalBlock(small, await small.fromHost(block(5, 50)), q, 3)).count).toBe(3);
  });
});
