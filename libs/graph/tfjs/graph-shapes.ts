/** Operators of TensorFlow that make, move, cut and join. */
import type { Dim } from '../graph.js';
import { isFree, normalizeAxis } from '../shapes.js';
import { readStridedSlice } from './graph-strided-slice.js';
import type { GraphNodeView, Part, TensorFlowReader } from './graph-node.js';
import { TO_THE_END } from './graph-strided-slice.js';

const identity: TensorFlowReader = (node) => node.input(0);

const dimsOf = (node: GraphNodeView, index: number): readonly Dim[] => node.known(index).data;

const squeeze: TensorFlowReader = (node) => {
  const named = node.ints('squeeze_dims');
  const axes = named.length > 0 ? named : node.ints('axis');
  return node.onnx('Squeeze', [node.input(0), ...(axes.length > 0 ? [node.wholes(axes)] : [])]);
};

const expandDims: TensorFlowReader = (node) => node.onnx('Unsqueeze', [node.input(0), node.wholes([node.number(1)])]);

/** The last operand is the axis. */
const concat: TensorFlowReader = (node) => {
  const parts = node.inputs.slice(0, -1);
  return node.onnx('Concat', parts, { axis: { int: node.number(parts.length) } });
};

const pack: TensorFlowReader = (node) => {
  const axis = node.int('axis', 0);
  const at = node.wholes([axis]);
  return node.onnx(
    'Concat',
    node.inputs.map((part) => node.onnx('Unsqueeze', [part, at])),
    { axis: { int: axis } },
  );
};

/** Parts of these sizes along an axis; one may be -1, which is what is left. */
function parts(node: GraphNodeView, x: Part, sizes: readonly number[], axis: number): readonly Part[] {
  const length = sizes.reduce((total, size) => total + Math.max(0, size), 0);
  const dim = node.shapeOf(x)[normalizeAxis(axis, node.shapeOf(x).length)];
  const whole = sizes.map((size) => (size < 0 && typeof dim === 'number' ? dim - length : size));
  return node.onnxParts('Split', [x, node.wholes(whole)], sizes.length, { axis: { int: axis } });
}

function equalParts(node: GraphNodeView, x: Part, count: number, axis: number): readonly Part[] {
  const dim = node.shapeOf(x)[normalizeAxis(axis, node.shapeOf(x).length)];
  if (dim === undefined || isFree(dim) || dim % count !== 0 || count < 1 || count > dim)
    throw node.unsupported(`${count} parts of an axis of ${dim}`, 'equal parts of a fixed axis');
  return parts(
    node,
    x,
    Array.from({ length: count }, () => dim / count),
    axis,
  );
}

const unpack: TensorFlowReader = (node) => {
  const [x, axis] = [node.input(0), node.int('axis', 0)];
  const shape = node.shapeOf(x);
  const dim = shape[normalizeAxis(axis, shape.length)];
  const count = node.int('num', typeof dim === 'number' ? dim : 0);
  if (count !== dim) throw node.unsupported(`${count} parts of an axis of ${dim}`, 'a fixed axis');
  return equalParts(node, x, count, axis).map((part) => node.onnx('Squeeze', [part, node.wholes([axis])]));
};

/** From `begin` on `size` elements, or all that are left (-1). */
const slice: TensorFlowReader = (node) => {
  const [begins, sizes] = [dimsOf(node, 1), dimsOf(node, 2)];
  const ends = sizes.map((size, axis) => {
    const begin = begins[axis] ?? 0;
    if (size === -1) return TO_THE_END;
    if (!isFree(size) && !isFree(begin)) return begin + size;
    if (begin === 0) return size;
    throw node.unsupported(`${size} elements from ${begin} on`, 'sizes that do not depend on the number of examples');
  });
  return node.onnx('Slice', [node.input(0), node.wholes(begins), node.wholes(ends)]);
};

/** [axes, 2] of TensorFlow as the two lists of ONNX in one. */
const pad =
  (mode: (node: GraphNodeView) => string): TensorFlowReader =>
  (node) => {
    const pairs = node.numbers(1);
    const pads = [...pairs.filter((_, i) => i % 2 === 0), ...pairs.filter((_, i) => i % 2 === 1)];
    const value = node.inputs.length > 2 ? [node.input(2)] : [];
    return node.onnx('Pad', [node.input(0), node.wholes(pads), ...value], { mode: { text: mode(node) } });
  };

const mirror = (node: GraphNodeView): string => {
  if (node.text('mode', 'REFLECT') === 'REFLECT') return 'reflect';
  throw node.unsupported(`the mode ${node.text('mode', '')}`, 'REFLECT');
};

const gather: TensorFlowReader = (node) => {
  if (node.int('batch_dims', 0) !== 0) throw node.unsupported('batch_dims above 0', 'batch_dims 0');
  const axis = node.inputs.length > 2 ? node.number(2) : 0;
  return node.onnx('Gather', [node.input(0), node.input(1)], { axis: { int: axis } });
};

/** A new axis with `on` at each index and `off` elsewhere. */
const oneHot: TensorFlowReader = (node) => {
  const [on, off] = [node.input(2), node.input(3)].map((part) => node.onnx('Unsqueeze', [part, node.wholes([0])]));
  const values = node.onnx('Concat', [off, on], { axis: { int: 0 } });
  return node.onnx('OneHot', [node.input(0), node.input(1), values], { axis: { int: node.int('axis', -1) } });
};

const permuted: TensorFlowReader = (node) => node.onnx('Transpose', [node.input(0)], { perm: { ints: node.numbers(1) } });

/** As many examples as another value has are no number that an expansion could take for a known one. */
const fill: TensorFlowReader = (node) => node.onnx('Expand', [node.input(1), node.wholes(dimsOf(node, 0))]);

const filledLike =
  (value: number): TensorFlowReader =>
  (node) => {
    const x = node.input(0);
    return node.onnx('Expand', [node.scalarLike(x, value), node.onnx('Shape', [x])]);
  };

export const shapeReaders: Readonly<Record<string, TensorFlowReader>> = {
  BroadcastTo: (node) => node.onnx('Expand', node.inputs),
  ConcatV2: concat,
  ExpandDims: expandDims,
  Fill: fill,
  Gather: gather,
  GatherNd: (node) => node.onnx('GatherND', node.inputs),
  GatherV2: gather,
  Identity: identity,
  IdentityN: (node) => node.inputs,
  MirrorPad: pad(mirror),
  OneHot: oneHot,
  OnesLike: filledLike(1),
  Pack: pack,
  Pad: pad(() => 'constant'),
  PadV2: pad(() => 'constant'),
  PlaceholderWithDefault: identity,
  Range: (node) => node.onnx('Range', node.inputs),
  Rank: (node) => node.onnx('Size', [node.onnx('Shape', [node.input(0)])]),
  Reshape: (node) => node.onnx('Reshape', node.inputs, { allowzero: { int: 1 } }),
  Shape: (node) => node.onnx('Shape', [node.input(0)]),
  ShapeN: (node) => node.inputs.map((part) => node.onnx('Shape', [part])),
  Size: (node) => node.onnx('Size', [node.input(0)]),
  Slice: slice,
  Snapshot: identity,
  Split: (node) => equalParts(node, node.input(1), node.int('num_split', 1), node.number(0)),
  SplitV: (node) => parts(node, node.input(0), node.numbers(1), node.number(2)),
  Squeeze: squeeze,
  // Where TensorFlow writes it in a variance, its second derivative would be that of another function.
  StopGradient: identity,
  StridedSlice: readStridedSlice,
  Tile: (node) => node.onnx('Tile', node.inputs),
  Transpose: permuted,
  Unpack: unpack,
  ZerosLike: filledLike(0),
};
