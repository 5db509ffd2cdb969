// The safetensors format: the length of a JSON header (64 bits, little endian), the header, and the tensors' bytes behind it.
import { StagewatchError } from '#runtime/errors.js';
import type { NamedTensor } from './parameter-file.js';

const maxHeaderBytes = 100 * 1024 ** 2;

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

type Reader = (bytes: Uint8Array) => ArrayLike<number | bigint>;

const readers: Readonly<Record<string, { readonly width: number; readonly read: Reader }>> = {
  F32: { width: 4, read: (bytes) => new Float32Array(aligned(bytes)) },
  F64: { width: 8, read: (bytes) => new Float64Array(aligned(bytes)) },
  I64: { width: 8, read: (bytes) => new BigInt64Array(aligned(bytes)) },
  I32: { width: 4, read: (bytes) => new Int32Array(aligned(bytes)) },
  U8: { width: 1, read: (bytes) => bytes },
  BOOL: { width: 1, read: (bytes) => bytes },
  // The upper half of a float32.
  BF16: {
    width: 2,
    read: (bytes) => new Float32Array(Uint32Array.from(new Uint16Array(aligned(bytes)), (half) => half << 16).buffer),
  },
  F16: { width: 2, read: (bytes) => Float32Array.from(new Uint16Array(aligned(bytes)), fromHalf) },
};

/** A copy: an array may only look at memory that is aligned to its elements. */
const aligned = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? (sign * fraction) / 2 ** 24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const damaged = (problem: string): StagewatchError =>
  new StagewatchError('INVALID_ARGUMENT', `The file of parameters ${problem}`, {
    field: 'parameters',
    expected: 'a .safetensors or an .npz file',
  });

/** Sizes are checked before anything is read. */
export function readSafetensors(bytes: Uint8Array): ReadonlyMap<string, NamedTensor> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = bytes.length < 8 ? Number.NaN : Number(view.getBigUint64(0, true));
  if (!(headerBytes <= maxHeaderBytes && 8 + headerBytes <= bytes.length)) throw damaged('has no header of a plausible size');
  const header = parsed(bytes.subarray(8, 8 + headerBytes));
  const tensors = new Map<string, NamedTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (!isEntry(entry)) throw damaged(`describes '${name}' in a way that is not understood`);
    const {
      dtype,
      shape,
      data_offsets: [from, to],
    } = entry;
    const reader = Object.hasOwn(readers, dtype) ? readers[dtype] : undefined;
    if (reader === undefined) {
      throw new StagewatchError('UNKNOWN_DTYPE', `'${name}' has an unknown dtype`, {
        field: name,
        value: dtype.slice(0, 40),
        expected: Object.keys(readers).join(', '),
      });
    }
    const part = bytes.subarray(8 + headerBytes + from, 8 + headerBytes + to);
    const size = shape.reduce((product, dim) => product * dim, 1);
    if (part.length !== to - from || part.length !== size * reader.width) throw damaged(`is too short for '${name}'`);
    tensors.set(name, { shape, data: reader.read(part) });
  }
  return tensors;
}

function parsed(bytes: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw damaged('has a header that is no JSON object');
}

const isSizes = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && (each as number) >= 0);

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  return typeof dtype === 'string' && isSizes(shape) && isSizes(offsets) && offsets.length === 2 && offsets[0]! <= offsets[1]!;
}
