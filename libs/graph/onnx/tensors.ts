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

/** A copy of the bytes that begins at an even address, as typed arrays want it. */
function aligned(tensor: OnnxTensor, bytesPerElement: number): ArrayBuffer | undefined {
  if (tensor.dataLocation === EXTERNAL) throw failure(tensor, 'lies in another file', 'all tensors inside the ONNX file');
  const { rawData } = tensor;
  if (rawData === undefined || rawData.length === 0) return undefined;
  if (rawData.length % bytesPerElement !== 0) throw failure(tensor, 'ends in the middle of a number', 'whole numbers');
  return rawData.buffer.slice(rawData.byteOffset, rawData.byteOffset + rawData.byteLength) as ArrayBuffer;
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
      return checked(tensor, raw ? new Float32Array(raw) : Float32Array.from(tensor.floatData));
    }
    case elementType.double: {
      const raw = aligned(tensor, 8);
      return checked(tensor, raw ? new Float64Array(raw) : Float64Array.from(tensor.doubleData));
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
  return raw ? new Uint16Array(raw) : Uint16Array.from(tensor.int32Data);
}

interface Integers {
  new (buffer: ArrayBuffer): ArrayLike<number | bigint>;
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

/** A tensor of whole numbers: sizes, axes, flags. */
export function integersOf(tensor: OnnxTensor): number[] {
  const type = integerTypes.get(tensor.dataType ?? 0);
  if (type === undefined) {
    throw failure(tensor, `has the ONNX element type ${tensor.dataType}`, 'floats, whole numbers or BOOL');
  }
  const raw = aligned(tensor, type.BYTES_PER_ELEMENT);
  const listed = tensor.dataType === elementType.int64 ? tensor.int64Data : tensor.int32Data;
  return checked(tensor, raw ? Array.from(new type(raw), Number) : [...listed]);
}
