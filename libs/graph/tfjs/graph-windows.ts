/** Convolutions and poolings of TensorFlow: channels last or first, kernels as [height, width, in, out]. */
import type { OnnxAttribute } from '../op.js';
import { channelsFirst, fused } from './graph-fused.js';
import type { GraphNodeView, Part, TensorFlowReader } from './graph-node.js';

const SPACE = [1, 2] as const;

const transpose = (node: GraphNodeView, x: Part, perm: readonly number[]): Part =>
  node.onnx('Transpose', [x], { perm: { ints: perm } });
const first = (node: GraphNodeView, x: Part): Part => (channelsFirst(node) ? x : transpose(node, x, [0, 3, 1, 2]));
const back = (node: GraphNodeView, x: Part): Part => (channelsFirst(node) ? x : transpose(node, x, [0, 2, 3, 1]));

/** Of the two axes of space, from a list for all four. */
function ofSpace(node: GraphNodeView, name: string): readonly number[] {
  const all = node.ints(name);
  if (all.length === 0) return [1, 1];
  const axes = SPACE.map((axis) => axis + (channelsFirst(node) ? 1 : 0));
  const others = all.filter((_, axis) => !axes.includes(axis));
  if (all.length !== 4 || others.some((each) => each !== 1))
    throw node.unsupported(`${name} is ${all.join(', ')}`, `four numbers, 1 for examples and channels`);
  return axes.map((axis) => all[axis] ?? 1);
}

function padding(node: GraphNodeView): Readonly<Record<string, OnnxAttribute>> {
  const mode = node.text('padding', '');
  if (mode === 'SAME') return { auto_pad: { text: 'SAME_UPPER' } };
  if (mode === 'VALID') return { auto_pad: { text: 'VALID' } };
  const pads = node.ints('explicit_paddings');
  if (mode !== 'EXPLICIT' || pads.length !== 8)
    throw node.unsupported(`the padding '${mode}'`, 'SAME, VALID or EXPLICIT with eight numbers');
  const axes = SPACE.map((axis) => axis + (channelsFirst(node) ? 1 : 0));
  return { pads: { ints: [...axes.map((axis) => pads[2 * axis] ?? 0), ...axes.map((axis) => pads[2 * axis + 1] ?? 0)] } };
}

const sliding = (node: GraphNodeView): Readonly<Record<string, OnnxAttribute>> => ({
  ...padding(node),
  strides: { ints: ofSpace(node, 'strides') },
  dilations: { ints: ofSpace(node, 'dilations') },
});

/** A fixed axis of a kernel or of an input. */
function sizeOf(node: GraphNodeView, part: Part, axis: number): number {
  const shape = node.shapeOf(part);
  const size = shape[axis];
  if (shape.length === 4 && typeof size === 'number' && size > 0) return size;
  throw node.unsupported(`an operand of shape [${shape.join(', ')}]`, 'four axes, fixed ones after the examples');
}

const channelsOf = (node: GraphNodeView, x: Part): number => sizeOf(node, x, channelsFirst(node) ? 1 : 3);

function convolution(node: GraphNodeView): Part {
  const [x, kernel] = [node.input(0), node.input(1)];
  const groups = channelsOf(node, x) / sizeOf(node, kernel, 2);
  const y = node.onnx('Conv', [first(node, x), transpose(node, kernel, [3, 2, 0, 1])], {
    ...sliding(node),
    group: { int: groups },
  });
  return back(node, y);
}

/** Each channel by itself, some results of each. */
function depthwise(node: GraphNodeView): Part {
  const [x, kernel] = [node.input(0), node.input(1)];
  const [height, width, channels, multiplier] = [0, 1, 2, 3].map((axis) => sizeOf(node, kernel, axis));
  const sizes = node.wholes([(channels ?? 1) * (multiplier ?? 1), 1, height ?? 1, width ?? 1]);
  const perChannel = node.onnx('Reshape', [transpose(node, kernel, [2, 3, 0, 1]), sizes]);
  return back(node, node.onnx('Conv', [first(node, x), perChannel], { ...sliding(node), group: { int: channels ?? 1 } }));
}

/** The adjoint of a convolution, whose input has the sizes of the first operand. */
const transposed: TensorFlowReader = (node) => {
  const sizes = node.known(0).data;
  const axes = SPACE.map((axis) => axis + (channelsFirst(node) ? 1 : 0));
  const space = axes.map((axis) => {
    const size = sizes[axis];
    if (typeof size === 'number') return size;
    throw node.unsupported(`a result of [${sizes.join(', ')}]`, 'fixed sizes after the examples');
  });
  const { auto_pad: mode, ...rest } = sliding(node);
  const isSame = mode !== undefined && 'text' in mode && mode.text === 'SAME_UPPER';
  const kernel = node.input(1);
  const strides = ofSpace(node, 'strides');
  const given = axes.map((axis) => sizeOf(node, node.input(2), axis));
  // Rows that no window reaches are counted on their own.
  const reached = given.map((size, i) => (size - 1) * (strides[i] ?? 1) + sizeOf(node, kernel, i));
  const placed = isSame
    ? { auto_pad: { text: 'SAME_UPPER' }, output_shape: { ints: space } }
    : { output_padding: { ints: space.map((size, i) => Math.max(0, size - (reached[i] ?? 0))) } };
  const y = node.onnx('ConvTranspose', [first(node, node.input(2)), transpose(node, kernel, [3, 2, 0, 1])], {
    ...rest,
    ...placed,
  });
  return back(node, y);
};

const pooling =
  (op: string): TensorFlowReader =>
  (node) => {
    const { dilations: _, ...rest } = sliding(node);
    return back(node, node.onnx(op, [first(node, node.input(0))], { ...rest, kernel_shape: { ints: ofSpace(node, 'ksize') } }));
  };

export const windowReaders: Readonly<Record<string, TensorFlowReader>> = {
  AvgPool: pooling('AveragePool'),
  Conv2D: convolution,
  Conv2DBackpropInput: transposed,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2dNative: fused(depthwise),
  MaxPool: pooling('MaxPool'),
  _FusedConv2D: fused(convolution),
};
