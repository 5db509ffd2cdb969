import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { StagewatchError } from '#runtime/errors.js';
import { writeNpz } from '#wire/npz.js';
import { readNpz, type RangeReader } from './npz-header.js';

const python = '/usr/bin/python3';

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
  return execFileSync(python, ['-c', script], { maxBuffer: 1e8 });
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
    const data = await arrays.get('y')!.data();
    expect([0, 8, 16].map((at) => data.readBigInt64LE(at))).toEqual([1n, -2n, 3n]);
  });

  it.runIf(existsSync(python)).each([
    ['stored', 'savez'],
    ['deflated', 'savez_compressed'],
  ])('reads what numpy writes: %s', async (_how, save) => {
    const arrays = await readNpz(
      reader(fromNumpy(`np.${save}(b, x=np.zeros((1000, 8, 8), np.float32), y=np.arange(1000))`)),
      'train',
    );
    expect(arrays.get('x')).toMatchObject({ dtype: 'float32', shape: [1000, 8, 8] });
    expect((await arrays.get('y')!.data()).readBigInt64LE(999 * 8)).toBe(999n);
  });

  it.runIf(existsSync(python)).each([
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
});
