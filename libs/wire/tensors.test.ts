import { describe, expect, it } from 'vitest';
import { checkLayout, flatten, packTensors, readTensor } from './tensors.js';

const w = Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY, -4, 5, 6);
const b = Float64Array.of(0.5, -0.25);
const packed = packTensors([
  { name: 'w', shape: [2, 3], data: w },
  { name: 'b', shape: [2], data: b },
]);

describe('tensors', () => {
  it('packs and reads back, whatever the alignment', () => {
    const shifted = Buffer.concat([Buffer.alloc(1), packed.blob]).subarray(1);
    for (const blob of [packed.blob, shifted]) {
      expect(readTensor(blob, packed.layout[0]!)).toEqual(w);
      expect(readTensor(blob, packed.layout[1]!)).toEqual(b);
      expect(flatten(blob, packed.layout)).toEqual(Float32Array.of(...w, ...b));
    }
  });

  it('accepts what it packed, scalars and empty tensors', () => {
    expect(checkLayout(packed.layout, packed.blob.length)).toBeUndefined();
    const odd = packTensors([
      { name: 's', shape: [], data: Float32Array.of(1) },
      { name: 'e', shape: [0, 7], data: new Float32Array(0) },
    ]);
    expect(checkLayout(odd.layout, odd.blob.length)).toBeUndefined();
  });

  it.each([
    ['dtype', { dtype: 'float16' }, 'dtype'],
    ['shape', { shape: [2, 4] }, 'bytes'],
    ['shape', { shape: [2 ** 40, 2 ** 40] }, 'bytes'],
    ['shape', { bytes: 23 }, 'bytes'],
    ['range', { offset: 17 }, 'offset'],
    ['name', { name: '' }, 'name'],
    ['name', { name: 'b' }, 'name'],
  ] as const)('finds a fault of kind %s in %o', (kind, change, field) => {
    const layout = [
      packed.layout[1]!,
      { ...packed.layout[0]!, ...change, shape: [...('shape' in change ? change.shape : [2, 3])] },
    ];
    expect(checkLayout(layout, packed.blob.length)).toMatchObject({ kind, field, index: 1 });
  });
});
