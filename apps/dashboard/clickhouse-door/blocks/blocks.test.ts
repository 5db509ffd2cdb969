import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { BlockEncoder, decodeBlocks, encodeBlock } from './blocks.js';
import { cityHash128 } from './city-hash.js';
import { lz4Compress, lz4Decompress } from './lz4.js';

/** Made by ClickHouse's own Go libraries: `go run ./blocks` in that folder. */
interface Golden {
  readonly hashes: Readonly<Record<string, string>>;
  readonly blocks: readonly { readonly text: string; readonly block: string }[];
}
const golden = JSON.parse(readFileSync(join(packageRoot, 'test/golden/clickhouse-go/blocks.json'), 'utf8')) as Golden;

/** xorshift32, the same bytes as in the program that made the golden data. */
function noise(length: number): Buffer {
  let x = 2463534242;
  return Buffer.from(
    Array.from({ length }, () => {
      x = (x ^ (x << 13)) >>> 0;
      x ^= x >>> 17;
      x = (x ^ (x << 5)) >>> 0;
      return x & 0xff;
    }),
  );
}

test.each(Object.entries(golden.hashes))('CityHash128 of %s bytes is that of ClickHouse', (length, expected) => {
  expect(cityHash128(noise(Number(length))).toString('hex')).toBe(expected);
});

test.each(golden.blocks)('a block of ClickHouse is read: $text.length bytes', ({ text, block }) => {
  expect(decodeBlocks(Buffer.from(block, 'hex'), 10_000).toString()).toBe(text);
});

test('what was packed comes out again, whatever its length and content', () => {
  for (let length = 0; length < 300; length++) {
    for (const content of [
      noise(length),
      Buffer.alloc(length, 'ab'),
      Buffer.from('stagewatch '.repeat(30)).subarray(0, length),
    ]) {
      expect(Buffer.from(lz4Decompress(lz4Compress(content), length)).equals(content)).toBe(true);
      expect(decodeBlocks(encodeBlock(content), 1000).equals(content)).toBe(true);
    }
  }
  const long = Buffer.concat([noise(70_000), Buffer.alloc(70_000, 'x'), noise(70_000)]);
  expect(Buffer.from(lz4Decompress(lz4Compress(long), long.length)).equals(long)).toBe(true);
  expect(lz4Compress(Buffer.alloc(65_536)).length).toBeLessThan(400);
});

test('a stream in parts of any size is the same stream in blocks', async () => {
  const parts = [noise(10), Buffer.alloc(200_000, 'row\n'), noise(70_000), Buffer.alloc(0), Buffer.from('end')];
  const packed = await buffer(Readable.from(parts).pipe(new BlockEncoder()));
  expect(decodeBlocks(packed, 1_000_000).equals(Buffer.concat(parts))).toBe(true);
  expect((await buffer(Readable.from([]).pipe(new BlockEncoder()))).length).toBe(0);
});

describe('refused are', () => {
  const block = encodeBlock(Buffer.from('SELECT 1, '.repeat(20)));
  const changed = (at: number, byte: number): Buffer => {
    const copy = Buffer.from(block);
    copy[at] = byte;
    return copy;
  };
  test.each([
    ['a wrong checksum', changed(0, block[0]! ^ 1), /checksum/],
    ['a changed byte', changed(block.length - 1, 0), /checksum/],
    ['half a block', block.subarray(0, 30), /too early/],
    ['half a header', block.subarray(0, 20), /header/],
    ['plain text', Buffer.from('SELECT 1 FROM runs WHERE run = 1'), /too early|more content/],
  ])('%s', (_, bytes, message) => {
    expect(() => decodeBlocks(bytes, 1000)).toThrow(message);
  });

  test('content beyond the limit, before memory is taken for it', () => {
    expect(() => decodeBlocks(encodeBlock(Buffer.alloc(5000)), 1000)).toThrow(/more content/);
  });

  test.each([
    ['a match before the beginning', [0x10, 0x61, 9, 0, 0]],
    ['literals beyond the end', [0xf0, 0xff]],
    ['nothing', []],
  ])('LZ4 with %s', (_, bytes) => {
    expect(() => lz4Decompress(Uint8Array.from(bytes), 20)).toThrow(RangeError);
  });
});
