/** The family of questions about two tensors. Answers about NaN are those of IEEE 754: every comparison with it is false. */
import type { OnnxReader, OpDefinition } from '../op.js';
import { commonDtype } from './dtypes.js';
import { pairwise } from './pairwise.js';
import type { Pairwise } from './pairwise.js';

interface Comparison extends Omit<Pairwise, 'f'> {
  readonly f: (a: number, b: number) => boolean;
  /** Other ONNX operators that are read with this one. */
  readonly read?: Readonly<Record<string, OnnxReader>>;
}

export function comparison({ f, read = {}, ...rest }: Comparison): OpDefinition {
  const base = pairwise({ ...rest, f: (a, b) => Number(f(a, b)) });
  return {
    ...base,
    dtype: (inputs) => {
      commonDtype(inputs);
      return 'bool';
    },
    derivative: { piecewiseConstant: 'Its result is a truth value.' },
    onnx: { ...base.onnx, read: { ...base.onnx.read, ...read } },
  };
}
