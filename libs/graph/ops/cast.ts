import { cast, floorMod } from '../emit/elementwise.js';
import type { Attributes, DType } from '../graph.js';
import { at } from '../op.js';
import type { Emit, OnnxNode, OpDefinition, Value } from '../op.js';
import { operandOf, withoutExpand } from './patterns.js';

const conversions: Readonly<Record<DType, (x: number) => number>> = {
  float32: (x) => x,
  int64: Math.trunc,
  bool: (x) => (x === 0 ? 0 : 1),
};
const onnxTypes: Readonly<Record<DType, number>> = { float32: 1, int64: 7, bool: 9 };
const tfjsTypes = { float32: 'float32', int64: 'int32' } as const;

/** Half precisions are read as single, which is closer to what was meant. */
const floats = new Set([1, 10, 11, 16]);
const wholeNumbers = new Set([6, 7]);
const narrowWholeNumbers = new Set([2, 3, 4, 5, 12, 13]);
const BOOL = 9;
const UINT8 = 2;

/** Bytes wrap around; they are whole numbers here. */
function readCast(e: Emit, node: OnnxNode): Value {
  const x = node.input(0);
  if (node.int('to', 0) !== UINT8 || x.dtype === 'bool') return cast(e, x, targetOf(node));
  const whole = cast(e, cast(e, x, 'int64'), 'float32');
  return cast(e, floorMod(e, whole, e.scalar(256)), 'int64');
}

function targetOf(node: OnnxNode): DType {
  const to = node.int('to', 0);
  if (floats.has(to)) return 'float32';
  if (to === BOOL) return 'bool';
  // Truth values fit in any; other values would have to wrap around.
  if (wholeNumbers.has(to) || (narrowWholeNumbers.has(to) && node.input(0).dtype === 'bool')) return 'int64';
  throw node.unsupported(`a cast of ${node.input(0).dtype} to the ONNX type ${to}`, 'floats, INT32, INT64, UINT8 or BOOL');
}

function dtypeOf({ to }: Attributes): DType {
  if (to === 'float32' || to === 'int64' || to === 'bool') return to;
  throw new Error(`There is no dtype ${String(to)}`);
}

export const castOp: OpDefinition = {
  name: 'cast',
  elementwise: true,
  shape: (inputs) => at(inputs, 0).shape,
  dtype: (_, attributes) => dtypeOf(attributes),
  simplify: (e, inputs, attributes) => {
    const x = at(inputs, 0);
    const to = dtypeOf(attributes);
    if (x.dtype === to) return x;
    // A truth value survives every conversion.
    const before = operandOf(x, 'cast');
    if (before?.dtype === 'bool') return cast(e, before, to);
    return withoutExpand(e, 'cast', inputs, attributes);
  },
  derivative: { piecewiseConstant: 'It goes to or comes from whole numbers or truth values; between floats it is no op.' },
  reference: (inputs, attributes) => at(inputs, 0).data.map(conversions[dtypeOf(attributes)]),
  tfjs: (tf, inputs, attributes) => {
    const x = at(inputs, 0);
    const to = dtypeOf(attributes);
    // Its WASM backend keeps the bits of a number that becomes a truth value.
    return to === 'bool' ? tf.logicalNot(tf.equal(x, tf.scalar(0))) : tf.cast(x, tfjsTypes[to]);
  },
  onnx: {
    write: (writer, node) =>
      void writer.node('Cast', node.inputs, { to: { int: onnxTypes[dtypeOf(node.attributes)] } }, node.output),
    read: {
      Cast: readCast,
      CastLike: (e, node) => cast(e, node.input(0), node.input(1).dtype),
    },
  },
};
