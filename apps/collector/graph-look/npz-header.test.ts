import { execFileSync } from 'node:child_process';
import { deflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { StagewatchError } from '#runtime/errors.js';
import { writeNpz } from '#wire/npz.js';
import { findPython } from '../../../test/support/needs.js';
import { classRange } from './class-range.js';
import { inflated } from './inflated.js';
import { readNpz, type NpyArray, type RangeReader } from './npz-header.js';

const python = findPython('.npz files that numpy wrote (apps/collector/graph-look/npz-header.test.ts)', ['numpy']);

function reader(file: Buffer): RangeReader {
  return {
    bytes: file.length,
    read: (offset, bytes) => {
      if (offset < 0 || offset + bytes > file.length) throw new RangeError('read outside of the file');
      return Promise.resolve(file.subarray(offset, offset + bytes));
    },
  };
}

function fromNumpy(code: string): Buffer {
  const script = `import numpy as np, io, sys\nb = io.BytesIO()\n${code}\nsys.stdout.buffer.write(b.getvalue())`;
  return execFileSync(python!, ['-c', script], { maxBuffer: 1e8 });
}

async function whole(array: NpyArray): Promise<Buffer> {
  const parts = [];
  for await (const part of array.data()) parts.push(part);
  return Buffer.concat(parts);
}

/** The same file with other numbers in the directory entry of its last array. */
function lying(change: (directory: Buffer) => void): Buffer {
  const copy = Buffer.from(file);
  const at = copy.lastIndexOf(Buffer.from('PK\u0001\u0002', 'latin1'));
  change(copy.subarray(at));
  return copy;
}

const file = writeNpz({
  x: { shape: [3, 2], data: new Float32Array(6) },
  y: { shape: [3], data: BigInt64Array.of(1n, -2n, 3n) },
});

describe('reading the header of an .npz', () => {
  it('finds arrays, types, shapes and data', async () => {
    const arrays = await readNpz(reader(file), 'train');
    expect([...arrays].map(([name, { dtype, shape }]) => [name, dtype, shape])).toEqual([
      ['x', 'float32', [3, 2]],
      ['y', 'int64', [3]],
    ]);
    const data = await whole(arrays.get('y')!);
    expect([0, 8, 16].map((at) => data.readBigInt64LE(at))).toEqual([1n, -2n, 3n]);
  });

  it.skipIf(python === undefined).each([
    ['stored', 'savez'],
    ['deflated', 'savez_compressed'],
  ])('reads what numpy writes: %s', async (_how, save) => {
    const arrays = await readNpz(
      reader(fromNumpy(`np.${save}(b, x=np.zeros((1000, 8, 8), np.float32), y=np.arange(1000))`)),
      'train',
    );
    expect(arrays.get('x')).toMatchObject({ dtype: 'float32', shape: [1000, 8, 8] });
    expect((await whole(arrays.get('y')!)).readBigInt64LE(999 * 8)).toBe(999n);
  });

  it.skipIf(python === undefined).each([
    ['objects', 'np.savez(b, x=np.array([{}], dtype=object))', /never objects/],
    ['Fortran order', "np.savez(b, x=np.zeros((2, 3), order='F'))", /C order/],
    ['big endian', "np.savez(b, x=np.zeros(2, '>f4'))", /little endian/],
    ['records', "np.savez(b, x=np.zeros(2, [('a', 'f4')]))", /numpy.savez/],
  ])('refuses %s', async (_what, code, expected) => {
    await expect(readNpz(reader(fromNumpy(code)), 'train')).rejects.toMatchObject({
      code: 'PROBE_SET_MISMATCH',
      detail: { field: 'train.x.npy', expected: expect.stringMatching(expected) },
    });
  });

  it('answers every damaged file with a refusal, and reads nothing outside of it', async () => {
    for (let cut = 0; cut < file.length; cut += 7) {
      await expect(readNpz(reader(file.subarray(0, cut)), 'train')).rejects.toMatchObject({ code: 'PROBE_SET_MISMATCH' });
    }
    const answers: string[] = [];
    for (let at = 0; at < file.length; at++) {
      const damaged = Buffer.from(file);
      damaged[at]! ^= 0xff;
      const answer = await readNpz(reader(damaged), 'train').catch((error: StagewatchError) => error.code);
      answers.push(typeof answer === 'string' ? answer : 'read');
    }
    expect(new Set(answers)).toEqual(new Set(['read', 'PROBE_SET_MISMATCH']));
    expect(answers.filter((answer) => answer !== 'read').length).toBeGreaterThan(50);
  });

  it('refuses what would unpack to far more than it is, before it is unpacked', async () => {
    const bomb = lying((directory) => {
      directory.writeUInt16LE(8, 10);
      directory.writeUInt32LE(2 ** 31, 24);
    });
    await expect(readNpz(reader(bomb), 'train')).rejects.toMatchObject({
      code: 'PROBE_SET_MISMATCH',
      message: expect.stringContaining('would unpack to 2147483648'),
    });
  });

  it('stops at the first byte that is more than was said', async () => {
    const zeros = deflateRawSync(Buffer.alloc(50_000_000));
    const parts = inflated({ file: reader(zeros), start: 0, compressedBytes: zeros.length, isDeflated: true }, 1000);
    await expect(parts.next()).rejects.toThrow('more than the 1000 bytes');
  });

  it('refuses archives of very many entries, and arrays of sizes that no file has', async () => {
    const many = Buffer.from(file);
    many.writeUInt16LE(60_000, many.length - 12);
    await expect(readNpz(reader(many), 'train')).rejects.toMatchObject({ code: 'PROBE_SET_MISMATCH' });
    const huge = Buffer.from(file.toString('latin1').replace('(3, 2)', '(9e9,2'.slice(0, 6)), 'latin1');
    await expect(readNpz(reader(huge), 'train')).rejects.toMatchObject({ code: 'PROBE_SET_MISMATCH' });
  });

  it('finds the range of classes over parts that end in the middle of one', async () => {
    const classes = Buffer.from(BigInt64Array.of(5n, -100n, 2n ** 40n, -(2n ** 33n), 7n, -1n, 2n ** 31n).buffer);
    async function* parts(): AsyncGenerator<Buffer> {
      for (let at = 0; at < classes.length; at += 11) yield await Promise.resolve(classes.subarray(at, at + 11));
    }
    expect(await classRange(parts(), -100)).toEqual({ minClass: -(2 ** 33), maxClass: 2 ** 40 });
    expect(await classRange(parts(), 5)).toEqual({ minClass: -(2 ** 33), maxClass: 2 ** 40 });
  });
});
