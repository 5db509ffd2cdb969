import { describe, expect, it } from 'vitest';
import { readSnapshot, type SnapshotTensor } from './snapshot.js';

const parameters = [
  { name: 'w', shape: [2, 2], offset: 0, size: 4 },
  { name: 'b', shape: [2], offset: 4, size: 2 },
];
// b comes first and in double; one byte in front, so that nothing is aligned.
const blob = new Uint8Array(1 + 16 + 16);
blob.set(new Uint8Array(Float64Array.of(0.5, Number.NaN).buffer), 1);
blob.set(new Uint8Array(Float32Array.of(1, 2, 3, Number.NEGATIVE_INFINITY).buffer), 17);
const b: SnapshotTensor = { name: 'b', dtype: 'float64', shape: [2], offset: 1, bytes: 16 };
const w: SnapshotTensor = { name: 'w', dtype: 'float32', shape: [2, 2], offset: 17, bytes: 16 };

describe('readSnapshot', () => {
  it('finds tensors by name, in the order of the model', () => {
    const expected = Float32Array.of(1, 2, 3, Number.NEGATIVE_INFINITY, 0.5, Number.NaN);
    expect(readSnapshot(blob, [b, w], parameters)).toEqual(expected);
    // Inside a larger buffer, as a message has it.
    const padded = new Uint8Array(100);
    padded.set(blob, 33);
    expect(readSnapshot(padded.subarray(33, 33 + blob.length), [w, b], parameters)).toEqual(expected);
  });

  it.each([
    ['a tensor that the model does not have', [b, { ...w, name: 'v' }], 'SHAPE_MISMATCH', 'snapshot.tensors[1].name'],
    ['one twice', [b, w, b], 'SHAPE_MISMATCH', 'snapshot.tensors[2].name'],
    ['one missing', [b], 'SHAPE_MISMATCH', 'snapshot.tensors'],
    ['another shape of the same size', [b, { ...w, shape: [4] }], 'SHAPE_MISMATCH', 'snapshot.tensors[1].shape'],
    ['too few bytes', [b, { ...w, bytes: 12 }], 'SHAPE_MISMATCH', 'snapshot.tensors[1].bytes'],
    ['a place outside the blob', [b, { ...w, offset: 18 }], 'SHAPE_MISMATCH', 'snapshot.tensors[1].offset'],
    ['a negative place', [b, { ...w, offset: -1 }], 'SHAPE_MISMATCH', 'snapshot.tensors[1].offset'],
    ['an unknown dtype', [{ ...b, dtype: 'bfloat16' }, w], 'UNKNOWN_DTYPE', 'snapshot.tensors[0].dtype'],
  ])('refuses %s', (_, tensors, code, field) => {
    expect(() => readSnapshot(blob, tensors, parameters)).toThrow(
      expect.objectContaining({ code, detail: expect.objectContaining({ field }) }),
    );
  });
});
