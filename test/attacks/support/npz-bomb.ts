import { once } from 'node:events';
import { createDeflateRaw } from 'node:zlib';
import { writeNpz } from '#wire/npz.js';

const chunkBytes = 16 * 1024 ** 2;

/** `count` zeros of eight bytes, packed to about a thousandth. */
async function packedZeros(head: Buffer, count: number): Promise<Buffer> {
  const deflate = createDeflateRaw({ level: 1 });
  const parts: Buffer[] = [];
  deflate.on('data', (part: Buffer) => parts.push(part));
  const ended = once(deflate, 'end');
  deflate.write(head);
  const zeros = Buffer.alloc(chunkBytes);
  for (let left = count * 8; left > 0; left -= chunkBytes) {
    if (!deflate.write(zeros.subarray(0, Math.min(left, chunkBytes)))) await once(deflate, 'drain');
  }
  deflate.end();
  await ended;
  return Buffer.concat(parts);
}

/** A probe set of so many examples of three zeros each, with a class 0 for each, in a file that says all this truly. */
export async function npzBomb(examples: number): Promise<Buffer> {
  const entries = await Promise.all([
    entry('x.npy', '<f4', [examples, 3], examples * 1.5),
    entry('y.npy', '<i8', [examples], examples),
  ]);
  let offset = 0;
  const directory = entries.map(({ name, common, packed }) => {
    const listed = Buffer.alloc(46);
    listed.writeUInt32LE(0x02014b50, 0);
    listed.writeUInt16LE(20, 4);
    common.copy(listed, 6);
    listed.writeUInt32LE(offset, 42);
    offset += 30 + name.length + packed.length;
    return Buffer.concat([listed, name]);
  });
  const files = entries.flatMap(({ name, common, packed }) => {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    common.copy(local, 4);
    return [local, name, packed];
  });
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, listed, end]);
}

async function entry(fileName: string, descr: string, shape: readonly number[], count: number) {
  const name = Buffer.from(fileName);
  const head = npyHead(descr, shape);
  const packed = await packedZeros(head, count);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt16LE(8, 4);
  common.writeUInt16LE(0x21, 8);
  common.writeUInt32LE(packed.length, 14);
  common.writeUInt32LE(head.length + count * 8, 18);
  common.writeUInt16LE(name.length, 22);
  return { name, common, packed };
}

/** The header that `writeNpz` gives to an array, with another shape. */
function npyHead(descr: string, shape: readonly number[]): Buffer {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const head = Buffer.alloc(128, ' ');
  head.write('\u0093NUMPY', 0, 'latin1');
  head.writeUInt16LE(1, 6);
  head.writeUInt16LE(118, 8);
  head.write(text, 10);
  head.write('\n', 127);
  return head;
}

export const smallProbeSet = (): Buffer =>
  writeNpz({
    x: { shape: [4, 3], data: new Float32Array(12) },
    y: { shape: [4], data: BigInt64Array.of(0n, 1n, 0n, 1n) },
  });
