import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPython } from '../../test/support/needs.js';
import { sha256 } from './checksum.js';
import { writeNpz } from './npz.js';

const arrays = {
  x: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, Number.NaN, Number.POSITIVE_INFINITY) },
  y: { shape: [2], data: BigInt64Array.of(0n, 7n) },
  z: { shape: [], data: Float64Array.of(0.5) },
};

const python = findPython('numpy reads what is written as .npz (libs/wire/npz.test.ts)', ['numpy']);

it('writes the same bytes for the same arrays', () => {
  expect(sha256(writeNpz(arrays))).toBe(sha256(writeNpz(arrays)));
});

it('refuses data that do not fill the shape', () => {
  expect(() => writeNpz({ x: { shape: [2], data: new Float32Array(3) } })).toThrow(/3 elements, and its shape \[2\] 2/);
});

it.skipIf(python === undefined)('writes what numpy reads', () => {
  const dir = mkdtempSync(join(tmpdir(), 'npz-'));
  const path = join(dir, 'a.npz');
  writeFileSync(path, writeNpz(arrays));
  const code =
    'import numpy,sys,zipfile\n' +
    'assert zipfile.ZipFile(sys.argv[1]).testzip() is None\n' +
    'a=numpy.load(sys.argv[1], allow_pickle=False)\n' +
    'print([(k, str(a[k].dtype), a[k].shape, a[k].tolist()) for k in a.files])';
  const printed = execFileSync(python!, ['-c', code, path], { encoding: 'utf8' }).trim();
  rmSync(dir, { recursive: true });
  expect(printed).toBe(
    "[('x', 'float32', (2, 3), [[1.0, 2.0, 3.0], [4.0, nan, inf]]), ('y', 'int64', (2,), [0, 7]), ('z', 'float64', (), 0.5)]",
  );
});
