/** What is in a tensor of an ONNX file. */
import { UnsupportedModel } from '../errors.js';
import { fromBfloat16, fromFloat16 } from './half.js';
import { elementType } from './proto.js';
import type { OnnxTensor } from './proto.js';

const EXTERNAL = 1;

const failure = (tensor: OnnxTensor, problem: string, expected: string): UnsupportedModel =>
  new UnsupportedModel(`The tensor '${tensor.name ?? ''}' ${problem}`, { field: `tensor ${tensor.name ?? ''}`, expected });

const isSize = (dim: number): boolean => Number.isSafeInteger(dim) && dim >= 0;

function checked<T extends { readonly length: number }>(tensor: OnnxTensor, values: T): T {
  const size = tensor.dims.reduce((product, dim) => product * dim, 1);
  if (!tensor.dims.every(isSize) || values.length !== size) {
    throw failure(
      tensor,
      `holds ${values.length} numbers in the shape [${tensor.dims.slice(0, 8).join(', ')}]`,
      'as many numbers as the shape says',
    );
  }
  return values;
}

/** Smaller tensors are copied, so that none of them keeps a large file in memory. */
const MIN_VIEW_BYTES = 2 ** 20;

interface Place {
  readonly buffer: ArrayBuffer;
  readonly offset: number;
  readonly length: number;
}

/** The bytes where they are, or a copy of them that begins at an even address, as typed arrays want it. */
function aligned(tensor: OnnxTensor, bytesPerElement: number): Place | undefined {
  if (tensor.dataLocation === EXTERNAL) throw failure(tensor, 'lies in another file', 'all tensors inside the ONNX file');
  const { rawData } = tensor;
  if (rawData === undefined || rawData.length === 0) return undefined;
  if (rawData.length % bytesPerElement !== 0) throw failure(tensor, 'ends in the middle of a number', 'whole numbers');
  const { buffer, byteOffset, byteLength } = rawData;
  const length = byteLength / bytesPerElement;
  if (byteLength >= MIN_VIEW_BYTES && byteOffset % bytesPerElement === 0)
    return { buffer: buffer as ArrayBuffer, offset: byteOffset, length };
  return { buffer: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer, offset: 0, length };
}

const floatTypes: readonly (number | undefined)[] = [
  elementType.float,
  elementType.double,
  elementType.float16,
  elementType.bfloat16,
];

/** Half precision is read as single, which holds each of its numbers. */
export const isFloatType = (type: number | undefined): boolean => floatTypes.includes(type);

/** A tensor of floats of any width. */
export function floatsOf(tensor: OnnxTensor): Float32Array | Float64Array {
  switch (tensor.dataType ?? 0) {
    case elementType.float: {
      const raw = aligned(tensor, 4);
      return checked(tensor, raw ? new Float32Array(raw.buffer, raw.offset, raw.length) : Float32Array.from(tensor.floatData));
    }
    case elementType.double: {
      const raw = aligned(tensor, 8);
      return checked(tensor, raw ? new Float64Array(raw.buffer, raw.offset, raw.length) : Float64Array.from(tensor.doubleData));
    }
    case elementType.float16:
      return checked(tensor, Float32Array.from(halves(tensor), fromFloat16));
    case elementType.bfloat16:
      return checked(tensor, Float32Array.from(halves(tensor), fromBfloat16));
    default:
      throw failure(tensor, `has the ONNX element type ${tensor.dataType}`, 'FLOAT, DOUBLE, FLOAT16 or BFLOAT16');
  }
}

function halves(tensor: OnnxTensor): Uint16Array {
  const raw = aligned(tensor, 2);
  return raw ? new Uint16Array(raw.buffer, raw.offset, raw.length) : Uint16Array.from(tensor.int32Data);
}

interface Integers {
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayLike<number | bigint>;
  readonly BYTES_PER_ELEMENT: number;
}

const integerTypes: ReadonlyMap<number, Integers> = new Map<number, Integers>([
  [elementType.int64, BigInt64Array],
  [elementType.int32, Int32Array],
  [elementType.uint32, Uint32Array],
  [elementType.int16, Int16Array],
  [elementType.uint16, Uint16Array],
  [elementType.int8, Int8Array],
  [elementType.uint8, Uint8Array],
  [elementType.bool, Uint8Array],
]);

/** (`Array.from` goes through an iterator and takes ten times as long.) */
function numbersIn(values: ArrayLike<number | bigint>): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < values.length; i++) numbers.push(Number(values[i]));
  return numbers;
}

/** A tensor of whole numbers: sizes, axes, flags. */
export function integersOf(tensor: OnnxTensor): number[] {
  const type = integerTypes.get(tensor.dataType ?? 0);
  if (type === undefined) {
    throw failure(tensor, `has the ONNX element type ${tensor.dataType}`, 'floats, whole numbers or BOOL');
  }
  const raw = aligned(tensor, type.BYTES_PER_ELEMENT);
  const listed = tensor.dataType === elementType.int64 ? tensor.int64Data : tensor.int32Data;
  return checked(tensor, raw ? numbersIn(new type(raw.buffer, raw.offset, raw.length)) : [...listed]);
}
