// The NPY format, versions 1.0 to 3.0 (NumPy enhancement proposal 1, 2007; numpy.lib.format).
import { StagewatchError } from '#runtime/errors.js';

export type NpyDType = 'float32' | 'float64' | 'int32' | 'int64' | 'uint8' | 'bool';

export interface NpyArray {
  readonly dtype: NpyDType;
  readonly shape: readonly number[];
  /** Row-major, whatever the file had. */
  readonly data: Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;
}

const readers = {
  '<f4': { dtype: 'float32', array: Float32Array },
  '<f8': { dtype: 'float64', array: Float64Array },
  '<i4': { dtype: 'int32', array: Int32Array },
  '<i8': { dtype: 'int64', array: BigInt64Array },
  '|u1': { dtype: 'uint8', array: Uint8Array },
  '|b1': { dtype: 'bool', array: Uint8Array },
} as const;
const descriptions = { float32: '<f4', float64: '<f8', int32: '<i4', int64: '<i8', uint8: '|u1', bool: '|b1' } as const;

const magic = '\u0093NUMPY';
const maxAxes = 32;

/** `field` names the array in errors. */
export function readNpy(bytes: Uint8Array, field: string): NpyArray {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = (file[6] ?? 0) >= 2;
  const start = wide ? 12 : 10;
  if (file.length < start || file.toString('latin1', 0, 6) !== magic || ![1, 2, 3].includes(file[6]!)) {
    throw damaged(field, 'is not an .npy array of version 1, 2 or 3');
  }
  const headerBytes = wide ? file.readUInt32LE(8) : file.readUInt16LE(8);
  if (start + headerBytes > file.length) throw damaged(field, 'ends inside its header');
  const { description, fortran, shape } = readHeader(file.toString('latin1', start, start + headerBytes), field);
  const reader = Object.hasOwn(readers, description) ? readers[description as keyof typeof readers] : undefined;
  if (reader === undefined) {
    const problem = description.includes('O') ? 'holds Python objects (a pickle), which are never read' : 'has an unknown dtype';
    throw new StagewatchError('UNKNOWN_DTYPE', `${field} ${problem}: ${description}`, {
      field,
      value: description.slice(0, 40),
      expected: Object.keys(readers).join(', '),
    });
  }
  const elements = shape.reduce((product, dim) => product * dim, 1);
  const available = file.length - start - headerBytes;
  if (elements * reader.array.BYTES_PER_ELEMENT !== available) {
    throw damaged(
      field,
      `has ${available} bytes where its shape [${shape.join(', ')}] needs ${elements * reader.array.BYTES_PER_ELEMENT}`,
    );
  }
  // A copy, so that the elements are aligned.
  const data = new reader.array(Uint8Array.from(file.subarray(start + headerBytes)).buffer);
  return { dtype: reader.dtype, shape, data: fortran ? toRowMajor(data, shape) : data };
}

/** As numpy.save writes it. */
export function writeNpy({ dtype, shape, data }: NpyArray): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${descriptions[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const header = Buffer.from(text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + '\n', 'latin1');
  const front = Buffer.alloc(10);
  front.write(magic, 'latin1');
  front[6] = 1;
  front.writeUInt16LE(header.length, 8);
  return Buffer.concat([front, header, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

function damaged(field: string, problem: string): StagewatchError {
  return new StagewatchError('INVALID_ARGUMENT', `${field} ${problem}`, { field, expected: 'an array as numpy.save writes it' });
}

interface Header {
  readonly description: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
}

/** The header is a Python dict; three keys of it are read and none is evaluated. */
function readHeader(text: string, field: string): Header {
  const plain = /'descr':\s*(?:'([^']*)'|(\[.*?\]))\s*[,}]/s.exec(text);
  const fortran = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape':\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (plain === null || fortran === undefined || shape === undefined) throw damaged(field, 'has a header that is not understood');
  const dims = shape
    .split(',')
    .map((dim) => dim.replace('L', '').trim())
    .filter((dim) => dim !== '')
    .map(Number);
  if (dims.length > maxAxes || !dims.every(Number.isSafeInteger)) throw damaged(field, 'has a shape that is not understood');
  return { description: plain[1] ?? plain[2] ?? '', fortran: fortran === 'True', shape: dims };
}

function toRowMajor<A extends NpyArray['data']>(data: A, shape: readonly number[]): A {
  const out = data.slice() as A;
  const index = shape.map(() => 0);
  // Steps of the file, where the first axis runs fastest.
  const steps = shape.map((_, axis) => shape.slice(0, axis).reduce((product, dim) => product * dim, 1));
  let from = 0;
  for (let to = 0; to < data.length; to++) {
    out[to] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      from += steps[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= index[axis]! * steps[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}
