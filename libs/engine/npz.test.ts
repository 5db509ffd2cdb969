import { deflateRawSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readNpz, writeNpz } from './npz.js';

const numpy = JSON.parse(readFileSync(new URL('testing/numpy.json', import.meta.url), 'utf8')) as Record<string, string>;
const file = (name: string) => Buffer.from(numpy[name]!, 'base64');
const codeOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('readNpz', () => {
  it.each(['stored', 'deflated'])('reads every dtype and both orders, %s', (name) => {
    const arrays = readNpz(file(name));
    const plain = Object.fromEntries(
      [...arrays].map(([key, { dtype, shape, data }]) => [key, [dtype, shape, Array.from(data, Number)]]),
    );
    expect(plain).toEqual({
      float32: ['float32', [2, 3], [0, 0.25, 0.5, 0.75, 1, 1.25]],
      float64: ['float64', [2, 3], [0, 0.125, 0.25, 0.375, 0.5, 0.625]],
      int32: ['int32', [2, 3], [0, 1, 2, 3, 4, 5]],
      int64: ['int64', [2], [-1, 2 ** 53]],
      uint8: ['uint8', [2], [0, 255]],
      bool: ['bool', [2], [1, 0]],
      cube: ['float32', [2, 3, 4], Array.from({ length: 24 }, (_, i) => i)],
      scalar: ['float32', [], [7]],
      empty: ['float32', [0, 3], []],
    });
    expect(arrays.get('int64')!.data[1]).toBe(2n ** 53n + 1n);
  });

  it('reads only what is wanted', () => {
    expect([...readNpz(file('stored'), { wanted: ['bool', 'absent'] }).keys()]).toEqual(['bool']);
  });

  it.each([
    ['objects', 'pickle'],
    ['records', 'unknown dtype'],
    ['bigEndian', 'unknown dtype'],
  ])('refuses %s', (name, words) => {
    expect(() => readNpz(file(name))).toThrow(words);
    expect(codeOf(() => readNpz(file(name)))).toBe('UNKNOWN_DTYPE');
  });

  it('refuses what was cut short, at any length', () => {
    const whole = file('deflated');
    for (let length = 0; length < whole.length; length += 7) {
      expect(codeOf(() => readNpz(whole.subarray(0, length)))).toBe('INVALID_ARGUMENT');
    }
  });

  it('ends every damaged byte with a code, or not at all', () => {
    const whole = file('stored');
    const codes = new Set<unknown>();
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 0x55;
      codes.add(codeOf(() => readNpz(damaged) instanceof Map));
    }
    expect(codes).toEqual(new Set(['CHECKSUM_MISMATCH', 'INVALID_ARGUMENT', true]));
  });

  it('believes no claim of a size', () => {
    expect(codeOf(() => readNpz(file('stored'), { maxBytes: 300 }))).toBe('BLOB_TOO_LARGE');
    // A deflated megabyte of zeros under the directory of a small array.
    const small = Buffer.from(writeNpz({ x: { dtype: 'uint8', shape: [4], data: new Uint8Array(4) } }));
    const bomb = deflateRawSync(Buffer.alloc(2 ** 20));
    const at = 30 + 5;
    const directory = small.subarray(small.readUInt32LE(small.length - 6), small.length - 22);
    const front = Buffer.from(small.subarray(0, at));
    const entry = Buffer.from(directory);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(bomb.length, 20);
    const end = Buffer.from(small.subarray(small.length - 22));
    end.writeUInt32LE(at + bomb.length, 16);
    expect(codeOf(() => readNpz(Buffer.concat([front, bomb, entry, end])))).toBe('INVALID_ARGUMENT');
    // The same, told truly and a gigabyte large: it is not unpacked.
    entry.writeUInt32LE(2 ** 30, 24);
    expect(() => readNpz(Buffer.concat([front, bomb, entry, end]))).toThrow("would unpack 'x' to 1073741824 bytes");
  });
});

describe('writeNpz', () => {
  it('is read back, and the same arrays give the same bytes', () => {
    const arrays = {
      x: { dtype: 'float32', shape: [2, 2], data: Float32Array.of(1, Number.NaN, -0, Number.POSITIVE_INFINITY) },
      y: { dtype: 'int64', shape: [2], data: BigInt64Array.of(3n, -4n) },
    } as const;
    expect(Object.fromEntries(readNpz(writeNpz(arrays)))).toEqual(arrays);
    expect(writeNpz(arrays)).toEqual(writeNpz(arrays));
  });
});
