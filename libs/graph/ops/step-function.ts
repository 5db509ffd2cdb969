/** The family of functions of one number that are constant but for jumps. */
import { at } from '../op.js';
import type { OpDefinition } from '../op.js';
import type { TfjsOps, TfjsTensor } from '../tfjs-ops.js';
import { withoutExpand } from './patterns.js';

interface StepFunction {
  readonly name: string;
  readonly onnx: string;
  readonly tfjs: (tf: TfjsOps, x: TfjsTensor) => TfjsTensor;
  readonly f: (x: number) => number;
  /** Where it jumps. */
  readonly why: string;
}

export function stepFunction({ name, onnx, tfjs, f, why }: StepFunction): OpDefinition {
  return {
    name,
    elementwise: true,
    shape: (inputs) => at(inputs, 0).shape,
    simplify: (e, inputs) => withoutExpand(e, name, inputs),
    derivative: { piecewiseConstant: why },
    reference: (inputs) => at(inputs, 0).data.map(f),
    tfjs: (tf, inputs) => tfjs(tf, at(inputs, 0)),
    onnx: {
      write: (writer, node) => void writer.node(onnx, node.inputs, {}, node.output),
      read: { [onnx]: (e, node) => e.apply(name, [node.input(0)]) },
    },
  };
}
