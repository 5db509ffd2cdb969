// .npz files: a ZIP archive (PKWARE APPNOTE 6.3) of .npy arrays, stored or deflated, as numpy.savez writes them.
import { crc32, inflateRawSync } from 'node:zlib';
import { StagewatchError } from '#runtime/errors.js';
import { readNpy, writeNpy, type NpyArray } from './npy.js';

const endSignature = 0x06054b50;
const directorySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const maxCommentBytes = 65_535;
/** Numbers that somebody measures on do not pack to a hundredth; zeros by the gigabyte do. */
const maxRatio = 100;
/** Where an array is small, whatever it packs to is fine. */
const freeBytes = 64 * 1024 ** 2;
/** In sizes and offsets: the number stands in the ZIP64 extra field. */
const elsewhere = 0xffffffff;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly checksum: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly offset: number;
}

/**
 * The arrays of a file by their names without `.npy`. Only `wanted` ones are unpacked when it is given. Nothing larger than
 * `maxBytes` unpacked is read, whatever the file claims.
 */
export function readNpz(
  bytes: Uint8Array,
  options: { readonly wanted?: readonly string[]; readonly maxBytes?: number } = {},
): ReadonlyMap<string, NpyArray> {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let left = options.maxBytes ?? 8 * 1024 ** 3;
  const arrays = new Map<string, NpyArray>();
  for (const entry of readDirectory(file)) {
    const name = entry.name.replace(/\.npy$/, '');
    if (options.wanted !== undefined && !options.wanted.includes(name)) continue;
    left -= entry.bytes;
    if (entry.bytes > freeBytes && entry.bytes > maxRatio * entry.packedBytes) {
      throw damaged(`would unpack '${name}' to ${entry.bytes} bytes, more than ${maxRatio} times what it is`);
    }
    if (left < 0) throw new StagewatchError('BLOB_TOO_LARGE', `The .npz file holds more than is allowed`, { field: name });
    arrays.set(name, readNpy(unpack(file, entry), name));
  }
  return arrays;
}

const damaged = (problem: string): StagewatchError =>
  new StagewatchError('INVALID_ARGUMENT', `The .npz file ${problem}`, { expected: 'a file as numpy.savez writes it' });

function readDirectory(file: Buffer): Entry[] {
  let end = file.length - endBytes;
  while (end >= 0 && end >= file.length - endBytes - maxCommentBytes && file.readUInt32LE(end) !== endSignature) end--;
  if (end < 0 || file.readUInt32LE(end) !== endSignature) throw damaged('is not a ZIP archive, or was cut short');
  const count = file.readUInt16LE(end + 10);
  let at = file.readUInt32LE(end + 16);
  const entries: Entry[] = [];
  for (let i = 0; i < count; i++) {
    if (at + 46 > file.length || file.readUInt32LE(at) !== directorySignature) throw damaged('has a damaged directory');
    const nameBytes = file.readUInt16LE(at + 28);
    const extraBytes = file.readUInt16LE(at + 30);
    const next = at + 46 + nameBytes + extraBytes + file.readUInt16LE(at + 32);
    if (next > file.length) throw damaged('has a damaged directory');
    const extra = file.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes);
    const [fullBytes, packedBytes, offset] = sizes(file, at, extra);
    entries.push({
      name: file.toString('utf8', at + 46, at + 46 + nameBytes),
      method: file.readUInt16LE(at + 10),
      checksum: file.readUInt32LE(at + 16),
      bytes: fullBytes,
      packedBytes,
      offset,
    });
    at = next;
  }
  return entries;
}

/** Unpacked bytes, packed bytes, offset: each from the ZIP64 field where the entry says so. */
function sizes(file: Buffer, at: number, extra: Buffer): [number, number, number] {
  const given = [file.readUInt32LE(at + 24), file.readUInt32LE(at + 20), file.readUInt32LE(at + 42)];
  let field = 0;
  while (field + 4 <= extra.length && extra.readUInt16LE(field) !== 1) field += 4 + extra.readUInt16LE(field + 2);
  let wide = field + 4;
  const read = given.map((value) => {
    if (value !== elsewhere) return value;
    if (wide + 8 > extra.length) throw damaged('has a damaged directory');
    wide += 8;
    return Number(extra.readBigUInt64LE(wide - 8));
  });
  return read as [number, number, number];
}

function unpack(file: Buffer, entry: Entry): Uint8Array {
  const { offset, name } = entry;
  if (offset + 30 > file.length || file.readUInt32LE(offset) !== localSignature) throw damaged(`has a damaged entry '${name}'`);
  const start = offset + 30 + file.readUInt16LE(offset + 26) + file.readUInt16LE(offset + 28);
  if (start + entry.packedBytes > file.length) throw damaged(`ends inside '${name}'`);
  const packed = file.subarray(start, start + entry.packedBytes);
  const bytes = inflate(packed, entry);
  if (bytes.length !== entry.bytes) throw damaged(`holds another number of bytes in '${name}' than it says`);
  if (crc32(bytes) !== entry.checksum) {
    throw new StagewatchError('CHECKSUM_MISMATCH', `The checksum of '${name}' in the .npz file differs`, { field: name });
  }
  return bytes;
}

function inflate(packed: Buffer, { method, name, bytes }: Entry): Uint8Array {
  if (method === 0) return packed;
  if (method !== 8) throw damaged(`packs '${name}' by the unknown method ${method}; stored and deflated are known`);
  try {
    // One byte more than is claimed, so that a false claim is seen and costs no memory.
    return inflateRawSync(packed, { maxOutputLength: bytes + 1 });
  } catch (error) {
    throw new StagewatchError('INVALID_ARGUMENT', `'${name}' in the .npz file cannot be unpacked`, { field: name }, error);
  }
}

/** Writes arrays as numpy.savez does, uncompressed. Up to 4 GiB. */
export function writeNpz(arrays: Readonly<Record<string, NpyArray>>): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [key, array] of Object.entries(arrays)) {
    const name = Buffer.from(`${key}.npy`);
    const data = Buffer.from(writeNpy(array));
    // Version 2.0, no flags, stored, the first day of DOS time: the same arrays give the same bytes.
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8);
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    parts.push(Buffer.concat([uint32(localSignature), common, name]), data);
    directory.push(
      Buffer.concat([uint32(directorySignature), Buffer.from([20, 0]), common, Buffer.alloc(10), uint32(offset), name]),
    );
    offset += 30 + name.length + data.length;
  }
  const listed = Buffer.concat(directory);
  const end = Buffer.alloc(endBytes);
  end.writeUInt32LE(endSignature, 0);
  end.writeUInt16LE(directory.length, 8);
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(listed.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, listed, end]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
