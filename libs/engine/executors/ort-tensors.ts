import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';
import type { DType } from '#graph/index.js';
import type { HostData } from '../executor.js';

/** Loaded when it is first needed, so that a machine without it can still compute with something else. */
export const loadOrt = (): typeof Ort => createRequire(import.meta.url)('onnxruntime-node') as typeof Ort;

/** A tensor in the host's memory, of the type that ONNX Runtime wants. */
export function hostTensor(ort: typeof Ort, shape: readonly number[], data: HostData, dtype: DType): Ort.Tensor {
  const numbers = data as ArrayLike<number | bigint>;
  switch (dtype) {
    case 'int64':
      return new ort.Tensor('int64', data instanceof BigInt64Array ? data : BigInt64Array.from(numbers, BigInt), shape);
    case 'bool':
      return new ort.Tensor('bool', data instanceof Uint8Array ? data : Uint8Array.from(numbers, Number), shape);
    case 'float32':
    default:
      return new ort.Tensor('float32', data instanceof Float32Array ? data : Float32Array.from(numbers, Number), shape);
  }
}

export function hostNumbers({ data }: Ort.Tensor): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data as Uint8Array, Number);
}

const bytesPerElement: Readonly<Record<string, number>> = { float32: 4, int64: 8, bool: 1 };

export const bytesOf = ({ type, size }: Ort.Tensor): number => size * (bytesPerElement[type] ?? 4);
