import type * as Core from '@tensorflow/tfjs-core';
import type { DType } from '#graph/index.js';
import { StagewatchError } from '#runtime/errors.js';
import type { DeviceTensor, HostData } from '../executor.js';

export type Tfjs = typeof Core;

export interface TfjsTensor extends DeviceTensor {
  readonly value: Core.Tensor;
}

export const tfjsTypes = { float32: 'float32', int64: 'int32', bool: 'bool' } as const satisfies Record<DType, string>;

export const wrap = (value: Core.Tensor): TfjsTensor => ({ value, bytes: value.size * (value.dtype === 'bool' ? 1 : 4) });

export const tfjsTensor = (tf: Tfjs, shape: readonly number[], data: HostData, dtype: DType): Core.Tensor =>
  tf.tensor(tfjsNumbers(data, dtype), [...shape], tfjsTypes[dtype]);

/** Whole numbers have 32 bits in tfjs: one that does not fit is refused rather than wrapped. */
function tfjsNumbers(data: HostData, dtype: DType): Float32Array | Int32Array | Uint8Array {
  const numbers = data as ArrayLike<number | bigint>;
  switch (dtype) {
    case 'int64':
      return data instanceof Int32Array ? data : Int32Array.from(numbers, wholeNumber);
    case 'bool':
      return data instanceof Uint8Array ? data : Uint8Array.from(numbers, Number);
    case 'float32':
    default:
      return data instanceof Float32Array ? data : Float32Array.from(numbers, Number);
  }
}

function wholeNumber(value: number | bigint): number {
  const number = Number(value);
  if (number === Math.trunc(number) && Math.abs(number) < 2 ** 31) return number;
  throw new StagewatchError('INVALID_ARGUMENT', `tfjs has whole numbers of 32 bits, and ${value} is none`, {
    value: String(value),
    expected: `from ${-(2 ** 31) + 1} to ${2 ** 31 - 1}`,
  });
}
