import { expect, it } from 'vitest';
import { decodeVectors, encodeVectors } from './tracker-bytes.js';

it('tracker bytes - vectors come back bit for bit, from any alignment, and never into another model', () => {
  const vectors = [Float32Array.of(1, -0, Number.NaN), Float32Array.of(1e-40, Number.POSITIVE_INFINITY, 3)];
  const bytes = encodeVectors(vectors);
  const shifted = new Uint8Array(bytes.byteLength + 1);
  shifted.set(bytes, 1);
  for (const of of [bytes, shifted.subarray(1)]) {
    expect(decodeVectors(of, 3).map((vector) => Buffer.from(vector.slice().buffer).toString('hex'))).toEqual(
      vectors.map((vector) => Buffer.from(vector.buffer).toString('hex')),
    );
  }
  expect(decodeVectors(bytes, 4)).toEqual([]);
  expect(decodeVectors(bytes.subarray(0, 20), 3)).toEqual([]);
  expect(decodeVectors(undefined, 3)).toEqual([]);
  expect(decodeVectors(encodeVectors([]), 0)).toEqual([]);
});
