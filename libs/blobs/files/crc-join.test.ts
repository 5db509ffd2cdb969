import { crc32 } from 'node:zlib';
import { expect, it } from 'vitest';
import { CrcJoin } from './crc-join.js';

it('joins the CRCs of two pieces to that of both', () => {
  const bytes = Buffer.from(Array.from({ length: 100_003 }, (_, i) => (i * i + 7 * i) % 251));
  const join = new CrcJoin();
  for (const cut of [0, 1, 2, 3, 4096, 65_536, 99_999, bytes.length]) {
    const [first, second] = [bytes.subarray(0, cut), bytes.subarray(cut)];
    expect(join.append(crc32(first), crc32(second), second.length), `cut at ${cut}`).toBe(crc32(bytes));
  }
});
