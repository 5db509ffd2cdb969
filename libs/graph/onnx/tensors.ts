/** What is in a tensor of an ONNX file. */
import { UnsupportedModel } from '../errors.js';
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
      `holds ${values.length} numbers in the shape [${tensor.dims.join(', ')}]`,
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

export const isFloatType = (type: number | undefined): boolean => type === elementType.float || type === elementType.double;

/** A tensor of float or double. */
export function floatsOf(tensor: OnnxTensor): Float32Array | Float64Array {
  if (tensor.dataType === elementType.float) {
    const raw = aligned(tensor, 4);
    return checked(tensor, raw ? new Float32Array(raw) : Float32Array.from(tensor.floatData));
  }
  if (tensor.dataType === elementType.double) {
    const raw = aligned(tensor, 8);
    return checked(tensor, raw ? new Float64Array(raw) : Float64Array.from(tensor.doubleData));
  }
  throw failure(tensor, `has the ONNX element type ${tensor.dataType}`, 'FLOAT or DOUBLE');
}

/** A tensor of whole numbers: sizes, axes, flags. */
export function integersOf(tensor: OnnxTensor): number[] {
  switch (tensor.dataType ?? 0) {
    case elementType.int64: {
      const raw = aligned(tensor, 8);
      return checked(tensor, raw ? Array.from(new BigInt64Array(raw), Number) : [...tensor.int64Data]);
    }
    case elementType.int32: {
      const raw = aligned(tensor, 4);
      return checked(tensor, raw ? [...new Int32Array(raw)] : [...tensor.int32Data]);
    }
    case elementType.bool: {
      const raw = aligned(tensor, 1);
      return checked(tensor, raw ? [...new Uint8Array(raw)] : [...tensor.int32Data]);
    }
    default:
      throw failure(tensor, `has the ONNX element type ${tensor.dataType}`, 'FLOAT, DOUBLE, INT64, INT32 or BOOL');
  }
}
