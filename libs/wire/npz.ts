import { crc32 } from './checksum.js';
import { elements } from './tensors.js';

/** An array as numpy would save it. */
export interface NpzArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | BigInt64Array;
}

const localHeaderBytes = 30;
const directoryEntryBytes = 46;
const endRecordBytes = 22;
/** Beyond this a zip needs another format, which nothing here needs. */
const maxZipBytes = 0xffffffff;
/** 1980-01-01: the same arrays give the same bytes, and so the same digest. */
const dosDate = 0x21;

/** Writes arrays as `numpy.savez` does: a zip without compression. */
export function writeNpz(arrays: { readonly [name: string]: NpzArray }): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const fileName = Buffer.from(`${name}.npy`);
    const content = npy(name, array);
    const sum = crc32(content);
    const local = Buffer.alloc(localHeaderBytes);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    writeCommon(local, 6, { sum, bytes: content.length, nameBytes: fileName.length });
    const entry = Buffer.alloc(directoryEntryBytes);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(20, 4);
    entry.writeUInt16LE(20, 6);
    writeCommon(entry, 8, { sum, bytes: content.length, nameBytes: fileName.length });
    entry.writeUInt32LE(at, 42);
    directory.push(entry, fileName);
    parts.push(local, fileName, content);
    at += local.length + fileName.length + content.length;
    if (at > maxZipBytes) throw new RangeError('a probe set may not be larger than 4 GiB');
  }
  const directoryBytes = directory.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(endRecordBytes);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(directory.length / 2, 8);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** The fields that a local header and a directory entry share, in the same order. */
function writeCommon(target: Buffer, from: number, file: { sum: number; bytes: number; nameBytes: number }): void {
  target.writeUInt16LE(0, from + 2);
  target.writeUInt16LE(dosDate, from + 6);
  target.writeUInt32LE(file.sum, from + 8);
  target.writeUInt32LE(file.bytes, from + 12);
  target.writeUInt32LE(file.bytes, from + 16);
  target.writeUInt16LE(file.nameBytes, from + 20);
}

function npy(name: string, { shape, data }: NpzArray): Buffer {
  if (elements(shape) !== data.length) {
    throw new RangeError(`array '${name}' has ${data.length} elements, and its shape [${shape.join(', ')}] ${elements(shape)}`);
  }
  const descr = data instanceof Float32Array ? '<f4' : data instanceof Float64Array ? '<f8' : '<i8';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Magic, version and length are ten bytes; the data begin at a multiple of 64.
  const padding = 63 - ((10 + text.length) % 64);
  const header = Buffer.from(`\u0093NUMPY\u0001\u0000\u0000\u0000${text}${' '.repeat(padding)}\n`, 'latin1');
  header.writeUInt16LE(header.length - 10, 8);
  return Buffer.concat([header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}
