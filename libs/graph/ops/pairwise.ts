/** What all functions of two numbers share that are applied elementwise with broadcasting; derivatives are told apart. */
import { at } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import { broadcastOffsets, forEachOffset } from '../reference-tensor.js';
import { broadcastShapes } from '../shapes.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { commonDtype } from './dtypes.js';
import { withoutExpand } from './patterns.js';

export interface Pairwise {
  readonly name: string;
  readonly onnx: string;
  readonly tfjs: (tf: TfjsOps, a: TfjsTensor, b: TfjsTensor) => TfjsTensor;
  readonly commutative?: boolean;
  readonly f: (a: number, b: number) => number;
  readonly simplify?: (e: Emit, a: Value, b: Value) => Value | undefined;
}

export function pairwise({ name, onnx, tfjs, commutative = false, f, simplify }: Pairwise): Omit<OpDefinition, 'derivative'> {
  return {
    name,
    commutative,
    elementwise: true,
    shape: (inputs) => broadcastShapes(at(inputs, 0).shape, at(inputs, 1).shape),
    dtype: commonDtype,
    simplify: (e, inputs) => simplify?.(e, at(inputs, 0), at(inputs, 1)) ?? withoutExpand(e, name, inputs),
    reference: (inputs, _, shape) => {
      const [a, b] = [at(inputs, 0), at(inputs, 1)];
      const [fromA, fromB] = [broadcastOffsets(a.shape, shape), broadcastOffsets(b.shape, shape)];
      return forEachOffset(fromA, (offset, i) => f(a.data[offset] ?? Number.NaN, b.data[fromB[i] ?? 0] ?? Number.NaN));
    },
    tfjs: (tf, inputs) => tfjs(tf, at(inputs, 0), at(inputs, 1)),
    onnx: {
      write: (writer, node) => void writer.node(onnx, node.inputs, {}, node.output),
      read: { [onnx]: (e, node) => e.apply(name, [node.input(0), node.input(1)]) },
    },
  };
}
