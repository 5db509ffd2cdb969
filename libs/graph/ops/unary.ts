/** The family of functions of one number, applied to each element. */
import { mul } from '../emit.js';
import { at } from '../op.js';
import type { Emit, OpDefinition, Value } from '../op.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { withoutExpand } from './patterns.js';

interface Unary {
  readonly name: string;
  /** The ONNX operator that is the same function. */
  readonly onnx: string;
  readonly tfjs: (tf: TfjsOps, x: TfjsTensor) => TfjsTensor;
  readonly f: (x: number) => number;
  /** f′, written with x and y = f(x). */
  readonly slope: (e: Emit, x: Value, y: Value) => Value;
  readonly simplify?: (e: Emit, x: Value) => Value | undefined;
}

export function unary({ name, onnx, tfjs, f, slope, simplify }: Unary): OpDefinition {
  return {
    name,
    shape: (inputs) => at(inputs, 0).shape,
    simplify: (e, inputs) => simplify?.(e, at(inputs, 0)) ?? withoutExpand(e, name, inputs),
    derivative: {
      vjp: (e, { inputs, output }, cotangent) => [mul(e, cotangent, slope(e, at(inputs, 0), output))],
      jvp: (e, { inputs, output }, [tangent]) => tangent && mul(e, tangent, slope(e, at(inputs, 0), output)),
    },
    reference: (inputs) => at(inputs, 0).data.map(f),
    tfjs: (tf, inputs) => tfjs(tf, at(inputs, 0)),
    onnx: {
      write: (writer, node) => void writer.node(onnx, node.inputs, {}, node.output),
      read: { [onnx]: (e, node) => e.apply(name, [node.input(0)]) },
    },
  };
}
