import { clip, less, max, min, where } from '../emit/elementwise.js';
import type { ClipBounds } from '../emit/elementwise.js';
import type { Attributes } from '../graph.js';
import { at } from '../op.js';
import type { Emit, OnnxNode, OpDefinition, Value } from '../op.js';
import { and } from '../emit/elementwise.js';
import { constantNumber, withoutExpand } from './patterns.js';

/** What exporters write for "no bound" in single precision. */
const HUGE = 3.4e38;

function boundsOf({ low, high }: Attributes): ClipBounds {
  return { ...(typeof low === 'number' && { low }), ...(typeof high === 'number' && { high }) };
}

/** Where the derivative goes through: strictly between the bounds, as in PyTorch. */
function inside(e: Emit, x: Value, attributes: Attributes): Value {
  const { low, high } = boundsOf(attributes);
  const [above, below] = [
    low === undefined ? undefined : less(e, e.scalar(low), x),
    high === undefined ? undefined : less(e, x, e.scalar(high)),
  ];
  if (above !== undefined && below !== undefined) return and(e, above, below);
  const only = above ?? below;
  if (only === undefined) throw new Error('A clip without bounds is no op');
  return only;
}

function readClip(e: Emit, node: OnnxNode): Value {
  const x = node.input(0);
  const [low, high] = [1, 2].map((i) => (node.has(i) ? node.input(i) : undefined));
  const [lowest, highest] = [low && constantNumber(low), high && constantNumber(high)];
  const known = (low === undefined || lowest !== undefined) && (high === undefined || highest !== undefined);
  if (known && x.dtype === 'float32') {
    return clip(e, x, {
      low: node.opset < 11 ? node.float('min', -HUGE) : (lowest ?? -HUGE),
      high: node.opset < 11 ? node.float('max', HUGE) : (highest ?? HUGE),
    });
  }
  const raised = low ? max(e, x, low) : x;
  return high ? min(e, raised, high) : raised;
}

/** Values kept between two numbers, of which one may be absent. */
export const clipOp: OpDefinition = {
  name: 'clip',
  elementwise: true,
  shape: (inputs) => at(inputs, 0).shape,
  simplify: (e, inputs, attributes) => withoutExpand(e, 'clip', inputs, attributes),
  derivative: {
    vjp: (e, { inputs, attributes }, cotangent) => [where(e, inside(e, at(inputs, 0), attributes), cotangent, e.scalar(0))],
    jvp: (e, { inputs, attributes }, [tangent]) =>
      tangent && where(e, inside(e, at(inputs, 0), attributes), tangent, e.scalar(0)),
  },
  reference: (inputs, attributes) => {
    const { low = -Infinity, high = Infinity } = boundsOf(attributes);
    return at(inputs, 0).data.map((x) => Math.min(Math.max(x, low), high));
  },
  tfjs: (tf, inputs, attributes) => {
    const { low, high } = boundsOf(attributes);
    const raised = low === undefined ? at(inputs, 0) : tf.maximum(at(inputs, 0), tf.scalar(low));
    return high === undefined ? raised : tf.minimum(raised, tf.scalar(high));
  },
  onnx: {
    write: (writer, node) => {
      const { low, high } = boundsOf(node.attributes);
      const x = at(node.inputs, 0);
      const number = (value: number): string => writer.float([], [value]);
      // With one bound ONNX Runtime's Clip also cuts infinities off at the largest number.
      if (low === undefined) writer.node('Min', [x, number(high ?? Infinity)], {}, node.output);
      else if (high === undefined) writer.node('Max', [x, number(low)], {}, node.output);
      else writer.node('Clip', [x, number(low), number(high)], {}, node.output);
    },
    read: { Clip: readClip },
  },
};
