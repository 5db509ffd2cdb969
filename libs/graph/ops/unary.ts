/** The family of functions of one number, applied to each element. */
import { mul } from '../emit.js';
import { where } from '../emit/elementwise.js';
import type { Attributes } from '../graph.js';
import { at, numberAttribute } from '../op.js';
import type { Application, Emit, OpDefinition, Value } from '../op.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { withoutExpand } from './patterns.js';

interface Common {
  readonly name: string;
  /** The ONNX operator that is the same function. */
  readonly onnx: string;
  /** Numbers that it depends on, as attributes here and in ONNX, with the values that ONNX gives to those that are absent. */
  readonly parameters?: Readonly<Record<string, number>>;
  readonly tfjs: (tf: TfjsOps, x: TfjsTensor, attributes: Attributes) => TfjsTensor;
  readonly f: (x: number, attributes: Attributes) => number;
  readonly simplify?: (e: Emit, x: Value) => Value | undefined;
}

interface Smooth {
  /** f′, written with x and y = f(x). */
  readonly slope: (e: Emit, x: Value, y: Value, attributes: Attributes) => Value;
}

interface Gate {
  /** Where f′ is 1. Elsewhere it is 0, and an infinite derivative that does not pass leaves no NaN. */
  readonly passes: (e: Emit, x: Value) => Value;
}

export function unary({ name, onnx, parameters = {}, tfjs, f, simplify, ...rule }: Common & (Smooth | Gate)): OpDefinition {
  const names = Object.keys(parameters);
  const times = (e: Emit, { inputs, output, attributes }: Application, d: Value): Value =>
    'passes' in rule
      ? where(e, rule.passes(e, at(inputs, 0)), d, e.scalar(0))
      : mul(e, d, rule.slope(e, at(inputs, 0), output, attributes));
  return {
    name,
    elementwise: true,
    shape: (inputs) => at(inputs, 0).shape,
    simplify: (e, inputs, attributes) => simplify?.(e, at(inputs, 0)) ?? withoutExpand(e, name, inputs, attributes),
    derivative: {
      vjp: (e, use, cotangent) => [times(e, use, cotangent)],
      jvp: (e, use, [tangent]) => tangent && times(e, use, tangent),
    },
    reference: (inputs, attributes) => at(inputs, 0).data.map((x) => f(x, attributes)),
    tfjs: (tf, inputs, attributes) => tfjs(tf, at(inputs, 0), attributes),
    onnx: {
      write: (writer, node) => {
        const written = names.map((key) => [key, { float: numberAttribute(node.attributes, key) }] as const);
        writer.node(onnx, node.inputs, Object.fromEntries(written), node.output);
      },
      read: {
        [onnx]: (e, node) => {
          const read = Object.entries(parameters).map(([key, byDefault]) => [key, node.float(key, byDefault)] as const);
          return e.apply(name, [node.input(0)], Object.fromEntries(read));
        },
      },
    },
  };
}
