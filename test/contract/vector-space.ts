import { afterAll, describe, expect, it } from 'vitest';
import { createHostSpace } from '#math/host-space.js';
import { createRandom, normalVector } from '#math/random.js';
import { diagonal, type Block, type VectorSpace } from '#math/vector-space.js';

export interface VectorSpaceContract {
  readonly name: string;
  readonly open: (size: number) => VectorSpace | Promise<VectorSpace>;
  readonly close?: (space: VectorSpace) => Promise<void>;
}

/** Of one number that was computed in float32. */
const rounding = 4e-7;
/** Of a sum over a vector, relative to the product of the lengths. */
const sumRounding = 1e-6;

/** What a space of vectors must do wherever it keeps them. */
export function vectorSpaceContract({ name, open, close }: VectorSpaceContract): void {
  // One number, less than a piece of any layout, exactly some pieces, and not exactly.
  describe.each([1, 7, 4096, 5001])(`${name} - %i numbers`, (size) => {
    const opened: VectorSpace[] = [];
    const random = createRandom(size);
    const vectors = (count: number): Float32Array[] => Array.from({ length: count }, () => normalVector(size, random));
    const space = async (): Promise<VectorSpace> => {
      const one = await open(size);
      opened.push(one);
      return one;
    };
    afterAll(async () => {
      for (const one of opened) await close?.(one);
    });
    const inner = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
    const length = (a: Float32Array): number => Math.sqrt(inner(a, a));
    const expectSame = (actual: readonly Float32Array[], expected: readonly (readonly number[] | Float32Array)[]): void => {
      expect(actual).toHaveLength(expected.length);
      for (const [k, vector] of actual.entries()) {
        const worst = vector.reduce((w, x, i) => Math.max(w, Math.abs(x - expected[k]![i]!)), 0);
        const scale = Array.from(expected[k]!).reduce((w, x) => Math.max(w, Math.abs(x)), 0);
        expect(worst).toBeLessThanOrEqual(8 * rounding * scale);
      }
    };

    it('gives back what it was given, bit for bit', async () => {
      const one = await space();
      const given = vectors(3);
      given[1]!.set([Number.NaN].slice(0, size));
      const block = await one.fromHost(given);
      expect(block.count).toBe(3);
      given[0]![0] = 77;
      const back = await one.toHost(block);
      expect(back[0]![0]).not.toBe(77);
      given[0]![0] = back[0]![0]!;
      expect(back).toEqual(given);
      expect(one.size).toBe(size);
      await expect(one.fromHost([new Float32Array(size + 1)])).rejects.toThrow(RangeError);
    });

    it('multiplies blocks of any number of vectors', async () => {
      const one = await space();
      for (const [m, k] of [
        [1, 1],
        [2, 1],
        [5, 3],
        [3, 9],
        [0, 2],
      ] as const) {
        const [a, b] = [vectors(m), vectors(k)];
        const gram = await one.gram(await one.fromHost(a), await one.fromHost(b));
        expect(gram).toHaveLength(m);
        for (const [i, row] of gram.entries()) {
          expect(row).toHaveLength(k);
          for (const [j, value] of row.entries()) {
            const error = Math.abs(value - inner(a[i]!, b[j]!)) / (length(a[i]!) * length(b[j]!));
            expect(error).toBeLessThan(sumRounding);
          }
        }
      }
    });

    it('knows lengths, and sees one number that is not finite', async () => {
      const one = await space();
      const given = vectors(4);
      given[2]![size - 1] = Number.POSITIVE_INFINITY;
      given[3]![size >> 1] = Number.NaN;
      const norms = await one.norms(await one.fromHost(given));
      for (const i of [0, 1]) expect(Math.abs(norms[i]! / length(given[i]!) - 1)).toBeLessThan(sumRounding);
      expect([norms[2], norms[3]].some((norm) => Number.isFinite(norm))).toBe(false);
      expect(await one.norms(await one.fromHost([]))).toHaveLength(0);
    });

    it('combines several blocks', async () => {
      const one = await space();
      const [a, b] = [vectors(3), vectors(1)];
      const sum = await one.combine([
        { block: await one.fromHost(a), coefficients: [[1, 0.5, -2], Float64Array.of(0, 1, 0)] },
        { block: await one.fromHost(b), coefficients: [[3], [0]] },
      ]);
      const first = Array.from(b[0]!, (x, i) => a[0]![i]! + 0.5 * a[1]![i]! - 2 * a[2]![i]! + 3 * x);
      expectSame(await one.toHost(sum), [first, a[1]!]);
      const empty = await one.combine([{ block: await one.fromHost([]), coefficients: [[], []] }]);
      expect(await one.toHost(empty)).toEqual([new Float32Array(size), new Float32Array(size)]);
    });

    it('adds multiples', async () => {
      const one = await space();
      const [x, y] = [vectors(2), vectors(2)];
      const sum = await one.axpy(-0.25, await one.fromHost(x), await one.fromHost(y));
      expect(sum.count).toBe(2);
      expectSame(
        await one.toHost(sum),
        y.map((v, k) => Array.from(v, (value, i) => value - 0.25 * x[k]![i]!)),
      );
    });

    it('selects and joins, exactly and without a trace of the others', async () => {
      const one = await space();
      const given = vectors(5);
      given[1]!.fill(Number.NaN);
      const block = await one.fromHost(given);
      expect(await one.toHost(await one.select(block, [4, 0, 0]))).toEqual([given[4], given[0], given[0]]);
      expect(await one.toHost(await one.select(block, []))).toEqual([]);
      const joined = await one.join([await one.select(block, [2]), await one.fromHost([]), block]);
      expect(await one.toHost(joined)).toEqual([given[2], ...given]);
      expect((await one.join([])).count).toBe(0);
    });

    it('grows by one, and every block that was made on the way stays as it is', async () => {
      const one = await space();
      const given = vectors(11);
      const made: Block[] = [];
      let all = await one.join([]);
      for (const [i, vector] of given.entries()) {
        const added = await one.fromHost([vector]);
        const next = await one.join([all, added]);
        one.release(added);
        if (i % 3 !== 0) one.release(all);
        else made.push(all);
        all = next;
        expect(await one.toHost(all)).toEqual(given.slice(0, i + 1));
      }
      for (const [k, block] of made.entries()) expect(await one.toHost(block)).toEqual(given.slice(0, 3 * k));
      const gram = await one.gram(all, all);
      expect(Math.abs(gram[10]![2]! - inner(given[10]!, given[2]!))).toBeLessThan(
        sumRounding * length(given[10]!) * length(given[2]!),
      );
      const [turned] = await one.toHost(await one.combine([{ block: all, coefficients: [diagonal(11, 2)[7]!] }]));
      expectSame([turned!], [given[7]!.map((x) => 2 * x)]);
    });

    it('serves several callers at once', async () => {
      const one = await space();
      for (let round = 0; round < 4; round++) {
        const given = vectors(6);
        const block = await one.fromHost(given);
        const asked = [
          one.norms(block).then((norms) => Float32Array.from(norms)),
          one.gram(block, block).then(async (rows) => (await one.fromHost(vectors(6)), Float32Array.of(rows[5]![1]!))),
          one.combine([{ block, coefficients: [diagonal(6, 2)[3]!] }]).then(async (made) => (await one.toHost(made))[0]!),
          one.select(block, [5, 0]).then(async (made) => (await one.toHost(made))[1]!),
          one.join([block, block]).then(async (made) => (await one.toHost(made))[8]!),
          one.toHost(block).then((back) => back[4]!),
        ];
        const [norms, product, doubled, ...same] = await Promise.all(asked);
        const [first, last] = [given[1]!, given[5]!];
        expect(Math.abs(product![0]! - inner(first, last))).toBeLessThan(2 * sumRounding * length(first) * length(last));
        expectSame([doubled!], [given[3]!.map((x) => 2 * x)]);
        expect(same).toEqual([given[0], given[2], given[4]]);
        for (const [i, vector] of given.entries()) expect(norms![i]! / length(vector)).toBeCloseTo(1, 5);
        one.release(block);
      }
    });

    it('draws the same normal numbers in every space', async () => {
      const [one, host] = [await space(), createHostSpace(size)];
      const [here, there] = [await one.normal(2, createRandom(9)), await host.normal(2, createRandom(9))];
      expect(await one.toHost(here)).toEqual(await host.toHost(there));
    });

    it('takes no block of another space', async () => {
      const one = await space();
      const foreign: Block = { count: 1 };
      await expect(one.toHost(foreign)).rejects.toThrow(TypeError);
    });
  });
}
