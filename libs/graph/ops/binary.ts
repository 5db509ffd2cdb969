/** The family of functions of two numbers, applied elementwise with broadcasting. */
import { sumTo } from '../emit.js';
import { at } from '../op.js';
import type { Application, DifferentiableRule, Emit, OpDefinition, Value } from '../op.js';
import { broadcastOffsets } from '../reference-tensor.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { broadcastShapes } from '../shapes.js';
import { withoutExpand } from './patterns.js';

interface Binary {
  readonly name: string;
  readonly onnx: string;
  readonly tfjs: (tf: TfjsOps, a: TfjsTensor, b: TfjsTensor) => TfjsTensor;
  readonly commutative?: boolean;
  readonly f: (a: number, b: number) => number;
  /** What the cotangent gives to a and to b, before the sum over what was broadcast. */
  readonly backward: readonly [
    (e: Emit, use: Application, cotangent: Value) => Value,
    (e: Emit, use: Application, cotangent: Value) => Value,
  ];
  /** May give a tangent that still broadcasts to the shape of the output. */
  readonly forward: DifferentiableRule['jvp'];
  readonly simplify?: (e: Emit, a: Value, b: Value) => Value | undefined;
}

export function binary({ name, onnx, tfjs, commutative = false, f, backward, forward, simplify }: Binary): OpDefinition {
  return {
    name,
    commutative,
    shape: (inputs) => broadcastShapes(at(inputs, 0).shape, at(inputs, 1).shape),
    simplify: (e, inputs) => simplify?.(e, at(inputs, 0), at(inputs, 1)) ?? withoutExpand(e, name, inputs),
    derivative: {
      vjp: (e, use, cotangent, wanted) =>
        backward.map((rule, i) => (wanted[i] ? sumTo(e, rule(e, use, cotangent), at(use.inputs, i).shape) : undefined)),
      jvp: (e, use, tangents) => {
        const tangent = forward(e, use, tangents);
        return tangent && e.apply('expand', [tangent], { shape: use.output.shape });
      },
    },
    reference: (inputs, _, shape) => {
      const [a, b] = [at(inputs, 0), at(inputs, 1)];
      const [fromA, fromB] = [broadcastOffsets(a.shape, shape), broadcastOffsets(b.shape, shape)];
      return Float64Array.from(fromA, (offset, i) => f(a.data[offset] ?? Number.NaN, b.data[fromB[i] ?? 0] ?? Number.NaN));
    },
    tfjs: (tf, inputs) => tfjs(tf, at(inputs, 0), at(inputs, 1)),
    onnx: {
      write: (writer, node) => void writer.node(onnx, node.inputs, {}, node.output),
      read: { [onnx]: (e, node) => e.apply(name, [node.input(0), node.input(1)]) },
    },
  };
}
