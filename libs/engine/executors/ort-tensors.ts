import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';
import type { DType } from '#graph/index.js';
import type { HostData } from '../executor.js';

/** Loaded when it is first needed, so that a machine without it can still compute with something else. */
export const loadOrt = (): typeof Ort => createRequire(import.meta.url)('onnxruntime-node') as typeof Ort;

/** The arrays that ONNX Runtime takes. */
export type HostNumbers = Float32Array | BigInt64Array | Uint8Array;

/** Numbers of the type that ONNX Runtime wants; the same array where it is of that type. */
export function hostArray(data: HostData, dtype: DType): HostNumbers {
  const numbers = data as ArrayLike<number | bigint>;
  switch (dtype) {
    case 'int64':
      return data instanceof BigInt64Array ? data : BigInt64Array.from(numbers, BigInt);
    case 'bool':
      return data instanceof Uint8Array ? data : Uint8Array.from(numbers, Number);
    case 'float32':
    default:
      return data instanceof Float32Array ? data : Float32Array.from(numbers, Number);
  }
}

/** Numbers as an executor answers them, whatever they were. */
export const numbersOf = (data: Ort.Tensor['data']): Float32Array =>
  data instanceof Float32Array ? data : Float32Array.from(data as Uint8Array, Number);

const bytesPerElement: Readonly<Record<string, number>> = { float32: 4, int64: 8, bool: 1 };

export const bytesOf = ({ type, size }: Ort.Tensor): number => size * (bytesPerElement[type] ?? 4);
