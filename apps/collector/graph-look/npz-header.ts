import { constants, inflateRawSync } from 'node:zlib';
import { inflated } from './inflated.js';
import { refuse } from '../checks.js';

/** Reads a part of a file that may be too large to hold. */
export interface RangeReader {
  readonly bytes: number;
  read(offset: number, bytes: number): Promise<Buffer>;
}

/** An array inside an .npz. */
export interface NpyArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Its raw bytes, part by part; read when asked, and never more of them than the file said. */
  data(): AsyncIterable<Buffer>;
}

interface ZipEntry {
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

const endRecordBytes = 22;
const maxCommentBytes = 65_535;
const maxDirectoryBytes = 1024 * 1024;
/** Enough for any .npy header that numpy writes for plain arrays. */
const npyHeaderBytes = 4096;
/** What a header may inflate to: one byte of deflate can stand for a thousand. */
const maxHeaderBytes = 8 * 1024 * 1024;
/** Examples that somebody measures on do not pack to a hundredth; zeros by the gigabyte do. */
const maxRatio = 100;
/** Where an array is small, whatever it packs to is fine. */
const freeBytes = 64 * 1024 * 1024;
/** Entries of an archive: arrays of a probe set, and then some. */
const maxEntries = 256;

const dtypes = new Map([
  ['<f4', 'float32'],
  ['<f8', 'float64'],
  ['<i8', 'int64'],
  ['<i4', 'int32'],
  ['|u1', 'uint8'],
  ['|b1', 'bool'],
]);

/** The arrays of an .npz by name, headers only. No pickle is ever read: an array of objects is refused. */
export async function readNpz(file: RangeReader, field: string): Promise<Map<string, NpyArray>> {
  const arrays = new Map<string, NpyArray>();
  for (const [name, entry] of await readDirectory(file, field)) {
    if (name.endsWith('.npy')) arrays.set(name.slice(0, -'.npy'.length), await readArray(file, entry, `${field}.${name}`));
  }
  return arrays;
}

async function readDirectory(file: RangeReader, field: string): Promise<Map<string, ZipEntry>> {
  const tailBytes = Math.min(file.bytes, endRecordBytes + maxCommentBytes);
  const tail = await file.read(file.bytes - tailBytes, tailBytes);
  const at = tail.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'));
  if (at < 0 || at + endRecordBytes > tail.length) refuseFile(field, 'it is not a zip archive');
  const count = tail.readUInt16LE(at + 10);
  const bytes = tail.readUInt32LE(at + 12);
  const offset = tail.readUInt32LE(at + 16);
  if (count > maxEntries) refuseFile(field, `it has ${count} entries`, `at most ${maxEntries}`);
  if (bytes > maxDirectoryBytes || offset + bytes > file.bytes) refuseFile(field, 'its directory lies outside of it');
  const directory = await file.read(offset, bytes);
  const entries = new Map<string, ZipEntry>();
  let next = 0;
  for (let i = 0; i < count; i++) {
    if (next + 46 > directory.length || directory.readUInt32LE(next) !== 0x02014b50)
      refuseFile(field, 'its directory is damaged');
    const nameBytes = directory.readUInt16LE(next + 28);
    const extraBytes = directory.readUInt16LE(next + 30);
    const name = directory.toString('utf8', next + 46, next + 46 + nameBytes);
    entries.set(name, readEntry(directory, next, nameBytes, extraBytes));
    next += 46 + nameBytes + extraBytes + directory.readUInt16LE(next + 32);
  }
  return entries;
}

/** Sizes that do not fit 32 bits stand in the ZIP64 extra field, which numpy always writes. */
function readEntry(directory: Buffer, at: number, nameBytes: number, extraBytes: number): ZipEntry {
  let compressedBytes = directory.readUInt32LE(at + 20);
  let bytes = directory.readUInt32LE(at + 24);
  let headerOffset = directory.readUInt32LE(at + 42);
  const extra = directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes);
  for (let i = 0; i + 4 <= extra.length; i += 4 + extra.readUInt16LE(i + 2)) {
    if (extra.readUInt16LE(i) !== 1) continue;
    let from = i + 4;
    const wide = (): number => {
      const value = from + 8 <= extra.length ? Number(extra.readBigUInt64LE(from)) : 0;
      from += 8;
      return value;
    };
    if (bytes === 0xffffffff) bytes = wide();
    if (compressedBytes === 0xffffffff) compressedBytes = wide();
    if (headerOffset === 0xffffffff) headerOffset = wide();
  }
  return { method: directory.readUInt16LE(at + 10), compressedBytes, bytes, headerOffset };
}

async function readArray(file: RangeReader, entry: ZipEntry, field: string): Promise<NpyArray> {
  const { method, headerOffset, compressedBytes, bytes } = entry;
  if (method !== 0 && method !== 8) refuseFile(field, `compression method ${method} is not known`);
  if (headerOffset + 30 > file.bytes) refuseFile(field, 'it lies outside of the file');
  const local = await file.read(headerOffset, 30);
  const start = headerOffset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  if (start + compressedBytes > file.bytes) refuseFile(field, 'it lies outside of the file');
  if (method === 0 && compressedBytes !== bytes) refuseFile(field, 'its sizes disagree');
  if (bytes > freeBytes && bytes > maxRatio * compressedBytes) {
    refuseFile(
      field,
      `${compressedBytes} bytes would unpack to ${bytes}`,
      `at most ${maxRatio} times as much, or ${freeBytes} bytes`,
    );
  }
  const packedHead = await file.read(start, Math.min(compressedBytes, npyHeaderBytes));
  const head = method === 0 ? packedHead : inflatedHead(packedHead, field);
  const { dtype, shape, dataOffset, itemBytes } = readNpyHeader(head, field);
  const dataBytes = shape.reduce((product, size) => product * size, itemBytes);
  if (dataOffset + dataBytes !== bytes) refuseFile(field, `${bytes} bytes do not hold shape [${shape.join(', ')}] of ${dtype}`);
  const packed = { file, start, compressedBytes, isDeflated: method === 8 };
  return {
    dtype,
    shape,
    data: async function* () {
      let at = 0;
      try {
        for await (const part of inflated(packed, bytes)) {
          yield part.subarray(Math.max(0, Math.min(part.length, dataOffset - at)));
          at += part.length;
        }
      } catch (error) {
        if (error instanceof RangeError) refuseFile(field, error.message);
        if (isZlibError(error)) refuseFile(field, 'it cannot be inflated');
        throw error;
      }
      if (at !== bytes) refuseFile(field, `it has ${at} bytes, not ${bytes}`);
    },
  };
}

const isZlibError = (error: unknown): boolean => error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');

/** With a flush at the end, what was cut off is no error. */
function inflatedHead(packed: Buffer, field: string): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: maxHeaderBytes, finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return refuseFile(field, 'it cannot be inflated');
  }
}

interface NpyHeader {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly dataOffset: number;
  readonly itemBytes: number;
}

/** The header is a Python dictionary; only its three keys are looked for, and nothing is ever evaluated. */
function readNpyHeader(head: Buffer, field: string): NpyHeader {
  if (head.length < 12 || head.toString('latin1', 0, 6) !== '\u0093NUMPY') refuseFile(field, 'it is not an .npy array');
  const wide = head[6]! >= 2;
  const headerBytes = wide ? head.readUInt32LE(8) : head.readUInt16LE(8);
  const dataOffset = (wide ? 12 : 10) + headerBytes;
  if (dataOffset > head.length) refuseFile(field, 'its header is too long');
  const text = head.toString('latin1', wide ? 12 : 10, dataOffset);
  const descr = /'descr':\s*'([^']+)'/.exec(text)?.[1];
  const shape = /'shape':\s*\(([0-9,\sL]*)\)/.exec(text)?.[1];
  if (descr === undefined || shape === undefined) refuseFile(field, 'its header names no plain type and shape');
  if (/'fortran_order':\s*True/.test(text)) refuseFile(field, 'it is in Fortran order', 'C order (numpy.ascontiguousarray)');
  const dtype = dtypes.get(descr);
  if (dtype === undefined) {
    refuseFile(
      field,
      `its type ${JSON.stringify(descr)} is not taken`,
      `one of ${[...dtypes.keys()].join(', ')}, little endian; never objects`,
    );
  }
  const sizes = shape
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '');
  return { dtype, shape: sizes.map(Number), dataOffset, itemBytes: Number(descr.slice(2)) };
}

function refuseFile(field: string, problem: string, expected = 'an .npz with arrays x and y, as numpy.savez writes it'): never {
  refuse('PROBE_SET_MISMATCH', `the probe set cannot be read: ${problem}`, { field, expected });
}
