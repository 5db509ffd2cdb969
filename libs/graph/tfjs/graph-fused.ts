/** What nodes have in common: the place of their channels, and what TensorFlow's optimiser has put behind them. */
import type { GraphNodeView, Part, TensorFlowReader } from './graph-node.js';

/** In the layout NCHW; in TensorFlow they are last otherwise. */
export function channelsFirst(node: GraphNodeView): boolean {
  const layout = node.text('data_format', 'NHWC');
  if (layout === 'NHWC' || layout === 'NCHW') return layout === 'NCHW';
  throw node.unsupported(`the layout ${layout}`, 'NHWC or NCHW');
}

/** Channels are last, or second in the layout NCHW. */
export function biased(node: GraphNodeView, x: Part, bias: Part): Part {
  const rank = node.shapeOf(x).length;
  const axes = Array.from({ length: channelsFirst(node) ? rank - 2 : 0 }, (_, axis) => axis + 1);
  return node.onnx('Add', [x, axes.length > 0 ? node.onnx('Unsqueeze', [bias, node.wholes(axes)]) : bias]);
}

type Activation = (node: GraphNodeView, x: Part) => Part;
export const clip6: Activation = (node, x) => node.onnx('Clip', [x, node.scalar(0), node.scalar(6)]);

const fusedActivations: ReadonlyMap<string, Activation> = new Map<string, Activation>([
  ['Elu', (node, x) => node.onnx('Elu', [x])],
  ['LeakyRelu', (node, x) => node.onnx('LeakyRelu', [x], { alpha: { float: node.float('leakyrelu_alpha', 0.2) } })],
  ['Prelu', (node, x) => node.onnx('PRelu', [x, node.inputs.at(-1)])],
  ['Relu', (node, x) => node.onnx('Relu', [x])],
  ['Relu6', clip6],
  ['Sigmoid', (node, x) => node.onnx('Sigmoid', [x])],
  ['Tanh', (node, x) => node.onnx('Tanh', [x])],
]);

/** What TensorFlow's optimiser has put behind a product or a convolution: a bias, an activation, or both. */
export const fused =
  (main: (node: GraphNodeView) => Part): TensorFlowReader =>
  (node) =>
    node.texts('fused_ops').reduce((x, op) => {
      if (op === 'BiasAdd') return biased(node, x, node.input(2));
      const activation = fusedActivations.get(op);
      if (activation !== undefined) return activation(node, x);
      throw node.unsupported(`the fused operator ${op}`, `one of BiasAdd, ${[...fusedActivations.keys()].join(', ')}`);
    }, main(node));
