import { describe, expect, it } from 'vitest';
import { createRandom, normalVector } from './random.js';
import type { SymmetricOperator } from './ritz-subspace.js';
import { trackTop, type RitzState, type TopEigenpairs, type TrackOptions } from './ritz-tracker.js';
import { denseOperator, hostOperator, withSpectrum } from './testing/dense-operator.js';
import { dot, norm } from './vectors.js';

async function found(operator: SymmetricOperator, options?: TrackOptions, previous?: RitzState): Promise<TopEigenpairs> {
  const result = await trackTop(operator, options, previous);
  if (result.kind !== 'found') throw new Error(result.kind);
  return result;
}

/** A few large eigenvalues over a bulk of both signs, as Hessians have them. */
const hessianLike = (top: readonly number[], n: number): number[] => [
  ...top,
  ...Array.from({ length: n - top.length }, (_, i) => 0.8 * Math.cos((Math.PI * (i + 1)) / (n - top.length + 1)) ** 3),
];

describe('trackTop - cold', () => {
  it.each([
    ['a wide gap', 'within its bound', hessianLike([10, 5, 3, 2], 200)],
    ['two that nearly meet', 'within its bound', hessianLike([5, 4.96, 3, 2], 200)],
    // More close ones than the block holds: the value meets the tolerance, the bound may be too confident.
    ['a cluster of five within 1 %', 'within the tolerance', hessianLike([5, 4.99, 4.98, 4.97, 4.96], 200)],
    ['an exactly double top', 'within its bound', hessianLike([5, 5, 2], 200)],
    ['no outliers', 'within the tolerance', hessianLike([], 200)],
    ['a most negative one that is larger', 'within its bound', [...hessianLike([2, 1.5], 199), -40]],
    ['all negative', 'within the tolerance', hessianLike([], 200).map((x) => x - 2)],
    ['a tiny top under a large negative one', 'within its bound', [0.004, ...Array.from({ length: 99 }, (_, i) => -i / 10)]],
  ])('finds the maximum with %s, %s', async (_, claim, spectrum) => {
    const truth = Math.max(...spectrum);
    for (const seed of [1, 2, 3, 4, 5]) {
      const operator = denseOperator(withSpectrum(spectrum, seed));
      const result = await found(operator, { relativeTolerance: 1e-3, seed });
      const error = Math.abs(result.values[0]! - truth);
      expect(result.converged).toBe(true);
      expect(error).toBeLessThanOrEqual(claim === 'within its bound' ? result.bounds[0]! : Number.POSITIVE_INFINITY);
      const size = Math.max(...spectrum.map(Math.abs));
      expect(error).toBeLessThanOrEqual(1e-3 * Math.max(Math.abs(truth), 1e-2 * size));
      expect(result.products).toBe(operator.asked());
    }
  });

  it('bounds the other values as well, and its vectors are orthonormal with the residuals it claims', async () => {
    const spectrum = hessianLike([9, 7, 6.9, 4, 3], 150);
    const a = withSpectrum(spectrum, 9);
    const result = await found(denseOperator(a), { keep: 5, converge: 5, relativeTolerance: 1e-4 });
    for (let i = 0; i < 5; i++) {
      expect(Math.abs(result.values[i]! - spectrum[i]!)).toBeLessThanOrEqual(result.bounds[i]!);
      expect(result.bounds[i]!).toBeLessThanOrEqual(1e-4 * spectrum[i]!);
      const dense = denseOperator(a);
      const [hv] = await dense.space.toHost(await dense.multiply(await dense.space.fromHost([result.vectors[i]!])));
      const residual = hv!.map((x, j) => x - result.values[i]! * result.vectors[i]![j]!);
      // A difference of squares: what is far below √ε of the value is rounding.
      expect(norm(residual)).toBeCloseTo(result.residuals[i]!, 2);
      for (let j = 0; j < 5; j++) expect(dot(result.vectors[i]!, result.vectors[j]!)).toBeCloseTo(i === j ? 1 : 0, 5);
    }
  });

  it('restarts within its memory', async () => {
    const spectrum = Array.from({ length: 300 }, (_, i) => 1 - (i / 300) ** 1.2);
    const operator = denseOperator(withSpectrum(spectrum, 2));
    const result = await found(operator, { maxBasis: 12, relativeTolerance: 1e-4 });
    expect(result.converged).toBe(true);
    expect(result.products).toBeGreaterThan(12);
    expect(Math.abs(result.values[0]! - 1)).toBeLessThan(2e-4);
  });

  it('says so when the products are spent', async () => {
    const spectrum = Array.from({ length: 300 }, (_, i) => 1 - i / 300);
    const result = await found(denseOperator(withSpectrum(spectrum, 2)), { maxProducts: 8, relativeTolerance: 1e-6 });
    expect(result.converged).toBe(false);
    expect(result.products).toBe(8);
    expect(result.bounds[0]!).toBeGreaterThan(1e-6);
  });
});

describe('trackTop - invariants', () => {
  const spectrum = hessianLike([6, 5.9, 2], 120);
  const a = withSpectrum(spectrum, 4);

  it.each([1e-12, 1e-3, 1e9])('scale %d changes values and nothing else', async (scale) => {
    const plain = await found(denseOperator(a));
    const scaled = await found(denseOperator(a.map((row) => row.map((x) => scale * x))));
    expect(scaled.products).toBe(plain.products);
    plain.values.forEach((value, i) => expect(scaled.values[i]! / scale).toBeCloseTo(value, 4));
  });

  it('a shift moves every value by itself', async () => {
    const shifted = a.map((row, i) => row.map((x, j) => x + (i === j ? 3 : 0)));
    const options = { relativeTolerance: 1e-5, converge: 3 };
    const [plain, moved] = [await found(denseOperator(a), options), await found(denseOperator(shifted), options)];
    for (let i = 0; i < 3; i++) expect(moved.values[i]! - plain.values[i]!).toBeCloseTo(3, 4);
  });

  it('the seed does not decide the value, and the same seed repeats it exactly', async () => {
    const run = (seed: number) => found(denseOperator(a), { seed, relativeTolerance: 1e-5 });
    const values = await Promise.all([1, 2, 3].map(async (seed) => (await run(seed)).values[0]!));
    values.forEach((value) => expect(value).toBeCloseTo(6, 4));
    expect(await run(1)).toEqual(await run(1));
  });
});

describe('trackTop - warm', () => {
  const before = withSpectrum(hessianLike([6, 5.9, 3, 2], 150), 4);
  const drifted = (() => {
    const change = withSpectrum(hessianLike([1, -1], 150), 8);
    return before.map((row, i) => row.map((x, j) => x + 0.02 * change[i]![j]!));
  })();

  it('costs fewer products than cold and agrees with it', async () => {
    const start = await found(denseOperator(before), { converge: 2 });
    const cold = await found(denseOperator(drifted), { relativeTolerance: 1e-5 });
    const warm = await found(denseOperator(drifted), { relativeTolerance: 1e-3 }, start);
    expect(Math.abs(warm.values[0]! - cold.values[0]!)).toBeLessThan(1e-3 * cold.values[0]!);
    const coldSame = await found(denseOperator(drifted), { relativeTolerance: 1e-3 });
    expect(warm.products).toBeLessThan(coldSame.products);
  });

  it('follows the right one when the first two cross', async () => {
    // The eigenvectors stay, the order changes: a single warm vector would follow the wrong one.
    const at = (t: number) => withSpectrum(hessianLike([5 - t, 4.9 + t, 3, 2], 150), 4);
    let state: RitzState | undefined;
    for (let t = -0.2; t <= 0.3; t += 0.05) {
      const result = await found(denseOperator(at(t)), {}, state);
      const truth = Math.max(5 - t, 4.9 + t);
      expect(Math.abs(result.values[0]! - truth)).toBeLessThanOrEqual(1e-3 * truth);
      state = { vectors: result.vectors };
    }
  });

  it('keeps every eigenvalue above the limit', async () => {
    const operator = denseOperator(withSpectrum(hessianLike([9, 8, 7, 6, 5, 4, 3], 150), 3));
    let result = await found(operator, { followAbove: 4.5, keep: 4 });
    result = await found(operator, { followAbove: 4.5, keep: 4 }, result);
    expect(result.values.filter((x) => x > 4.5)).toHaveLength(5);
    expect(result.values.length).toBe(6);
  });

  it('takes guides: the gradient of a quadratic at the edge points along the top', async () => {
    const operator = denseOperator(before);
    const { vectors } = await found(operator, { relativeTolerance: 1e-6 });
    const guided = await found(operator, { guides: [vectors[0]!.map((x) => 7 * x)], relativeTolerance: 1e-3 });
    const plain = await found(operator, { relativeTolerance: 1e-3 });
    expect(guided.products).toBeLessThan(plain.products);
  });

  it('ignores vectors of another size, and useless ones', async () => {
    const operator = denseOperator(before);
    const other = { vectors: [new Float32Array(3).fill(1), new Float32Array(150), new Float32Array(150).fill(Number.NaN)] };
    expect((await found(operator, {}, other)).values[0]).toBeCloseTo(6, 2);
  });
});

describe('trackTop - edges', () => {
  it.each([1, 2, 3, 5])('size %i, below the number that is kept', async (n) => {
    const spectrum = Array.from({ length: n }, (_, i) => 3 - i);
    const result = await found(denseOperator(withSpectrum(spectrum, 1)), { keep: 8 });
    expect(result.values[0]).toBeCloseTo(3, 4);
    expect(result.products).toBeLessThanOrEqual(n);
  });

  it('a zero operator has the value 0 and ends', async () => {
    const zero = hostOperator(40, (vs) => vs.map((v) => new Float32Array(v.length)));
    const result = await found(zero);
    expect(result.values[0]).toBe(0);
    expect(result.products).toBeLessThan(10);
  });

  it('an operator of rank one ends soon', async () => {
    const u = normalVector(60, createRandom(2));
    const rankOne = hostOperator(60, (vs) => vs.map((v, _, __, s = dot(u, v)) => u.map((x) => s * x)));
    const result = await found(rankOne);
    expect(result.values[0]! / dot(u, u)).toBeCloseTo(1, 5);
    expect(result.products).toBeLessThan(10);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('%d in a product ends with a value that says so', async (bad) => {
    let calls = 0;
    const broken = hostOperator(30, (vs) =>
      vs.map((v, _, __, late = ++calls > 3) => v.map((x, i) => (late && i === 7 ? bad : (i + 1) * x))),
    );
    expect(await trackTop(broken, { relativeTolerance: 1e-9 })).toMatchObject({ kind: 'not finite' });
    expect(calls).toBeLessThan(6);
  });
});
