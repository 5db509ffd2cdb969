/** Operators of TensorFlow that calculate: elementwise ones, products, reductions, normalisation. */
import type { OnnxAttribute } from '../op.js';
import { biased, channelsFirst, clip6, fused } from './graph-fused.js';
import type { GraphNodeView, Part, TensorFlowReader } from './graph-node.js';

type Attributes = (node: GraphNodeView) => Readonly<Record<string, OnnxAttribute>>;
const none: Attributes = () => ({});

const as =
  (op: string, attributes: Attributes = none): TensorFlowReader =>
  (node) =>
    node.onnx(op, node.inputs, attributes(node));

const negated =
  (op: string): TensorFlowReader =>
  (node) =>
    node.onnx('Not', [node.onnx(op, node.inputs)]);

const alpha =
  (byDefault: number): Attributes =>
  (node) => ({ alpha: { float: node.float('alpha', byDefault) } });

const reciprocal = (node: GraphNodeView, x: Part): Part => node.onnx('Reciprocal', [x]);

const square = (node: GraphNodeView, x: Part): Part => node.onnx('Mul', [x, x]);

/** Whole numbers are rounded down, also those below 0. */
const floorDiv: TensorFlowReader = (node) => {
  const [a, b] = [node.input(0), node.input(1)];
  if (node.dtypeOf(a) === 'float32') return node.onnx('Floor', [node.onnx('Div', [a, b])]);
  return node.onnx('Div', [node.onnx('Sub', [a, node.onnx('Mod', [a, b])]), b]);
};

/** 0 where the divisor is 0. */
const divNoNan: TensorFlowReader = (node) => {
  const [a, b] = [node.input(0), node.input(1)];
  const isZero = node.onnx('Equal', [b, node.scalar(0)]);
  const quotient = node.onnx('Div', [a, node.onnx('Where', [isZero, node.scalar(1), b])]);
  return node.onnx('Where', [isZero, node.scalar(0), quotient]);
};

const sum: TensorFlowReader = (node) => node.inputs.slice(1).reduce((a, b) => node.onnx('Add', [a, b]), node.input(0));

function swapped(node: GraphNodeView, x: Part, isSwapped: boolean): Part {
  if (!isSwapped) return x;
  const axes = node.shapeOf(x).map((_, axis) => axis);
  return node.onnx('Transpose', [x], { perm: { ints: [...axes.slice(0, -2), ...axes.slice(-2).toReversed()] } });
}

const product =
  (a: string, b: string) =>
  (node: GraphNodeView): Part =>
    node.onnx('MatMul', [swapped(node, node.input(0), node.flag(a)), swapped(node, node.input(1), node.flag(b))]);

const matMul = product('transpose_a', 'transpose_b');

/** Without axes nothing is reduced. */
const reduction =
  (op: string): TensorFlowReader =>
  (node) =>
    node.onnx(op, [node.input(0), node.wholes(node.numbers(1))], {
      keepdims: { int: node.flag('keep_dims', node.flag('keepDims')) ? 1 : 0 },
      noop_with_empty_axes: { int: 1 },
    });

const argument =
  (op: string): TensorFlowReader =>
  (node) =>
    node.onnx(op, [node.input(0)], { axis: { int: node.inputs.length > 1 ? node.number(1) : 0 }, keepdims: { int: 0 } });

/** With the statistics of the chunk where the file says that it is training, else with those that it has. */
const batchNormalization: TensorFlowReader = (node) => {
  const [x, scale, offset, mean, variance] = [0, 1, 2, 3, 4].map((i) => node.input(i));
  const epsilon = node.float('epsilon', 1e-4);
  const rank = x === undefined ? 0 : node.shapeOf(x).length;
  const isLast = !channelsFirst(node);
  if (node.flag('is_training', true)) {
    const moved = isLast ? node.onnx('Transpose', [x], { perm: { ints: [0, rank - 1, ...middle(rank)] } }) : x;
    // The running statistics are looked at by outputs that nobody asks for.
    const attributes = { epsilon: { float: epsilon }, training_mode: { int: 1 } };
    const y = node.onnx('BatchNormalization', [moved, scale, offset, offset, scale], attributes);
    return isLast ? node.onnx('Transpose', [y], { perm: { ints: [0, ...middle(rank).map((axis) => axis + 1), 1] } }) : y;
  }
  if (!isLast) return node.onnx('BatchNormalization', [x, scale, offset, mean, variance], { epsilon: { float: epsilon } });
  const width = node.onnx('Sqrt', [node.onnx('Add', [variance, node.scalar(epsilon)])]);
  const factor = node.onnx('Div', [scale, width]);
  return node.onnx('Add', [node.onnx('Mul', [node.onnx('Sub', [x, mean]), factor]), offset]);
};

const middle = (rank: number): number[] => Array.from({ length: rank - 2 }, (_, axis) => axis + 1);

/** Of the old operator a list of conditions may stand for whole slices. */
const select: TensorFlowReader = (node) => {
  const [condition, a] = [node.input(0), node.input(1)];
  const missing = node.shapeOf(a).length - node.shapeOf(condition).length;
  const isList = node.shapeOf(condition).length === 1 && missing > 0;
  const axes = Array.from({ length: missing }, (_, i) => i + 1);
  const asked = isList ? node.onnx('Unsqueeze', [condition, node.wholes(axes)]) : condition;
  return node.onnx('Where', [asked, a, node.input(2)]);
};

/** ONNX's numbers of its element types. */
const types: Readonly<Record<string, number | undefined>> = {
  DT_FLOAT: 1,
  DT_DOUBLE: 1,
  DT_HALF: 1,
  DT_INT32: 7,
  DT_INT64: 7,
  DT_BOOL: 9,
};

const cast: TensorFlowReader = (node) => {
  const to = types[node.type('DstT')];
  if (to === undefined) throw node.unsupported(`a cast to ${node.type('DstT')}`, `one of ${Object.keys(types).join(', ')}`);
  return node.onnx('Cast', [node.input(0)], { to: { int: to } });
};

/** Called the same in both. */
const alike = `
  Abs Acos Acosh Add Asin Asinh Atan Atanh Ceil Cos Cosh Elu Equal Erf Exp Floor Greater Less
  Log Mul Neg Pow Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Tan Tanh`;

export const arithmeticReaders: Readonly<Record<string, TensorFlowReader>> = {
  ...Object.fromEntries(
    alike
      .trim()
      .split(/\s+/)
      .map((op) => [op, as(op)]),
  ),
  AddN: sum,
  AddV2: as('Add'),
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  BatchMatMul: product('adj_x', 'adj_y'),
  BatchMatMulV2: product('adj_x', 'adj_y'),
  BiasAdd: (node) => biased(node, node.input(0), node.input(1)),
  Cast: cast,
  Cumsum: (node) =>
    node.onnx('CumSum', node.inputs, {
      exclusive: { int: node.flag('exclusive') ? 1 : 0 },
      reverse: { int: node.flag('reverse') ? 1 : 0 },
    }),
  DivNoNan: divNoNan,
  Einsum: as('Einsum', (node) => ({ equation: { text: node.text('equation', '') } })),
  Erfc: (node) => node.onnx('Sub', [node.scalar(1), node.onnx('Erf', [node.input(0)])]),
  Expm1: (node) => node.onnx('Sub', [node.onnx('Exp', [node.input(0)]), node.scalar(1)]),
  FloorDiv: floorDiv,
  FloorMod: as('Mod'),
  FusedBatchNorm: batchNormalization,
  FusedBatchNormV2: batchNormalization,
  FusedBatchNormV3: batchNormalization,
  GreaterEqual: as('GreaterOrEqual'),
  Inv: as('Reciprocal'),
  LeakyRelu: as('LeakyRelu', alpha(0.2)),
  LessEqual: as('LessOrEqual'),
  Log1p: (node) => node.onnx('Log', [node.onnx('Add', [node.input(0), node.scalar(1)])]),
  LogSoftmax: as('LogSoftmax', () => ({ axis: { int: -1 } })),
  LogicalAnd: as('And'),
  LogicalNot: as('Not'),
  LogicalOr: as('Or'),
  MatMul: matMul,
  Max: reduction('ReduceMax'),
  Maximum: as('Max'),
  Mean: reduction('ReduceMean'),
  Min: reduction('ReduceMin'),
  Minimum: as('Min'),
  NotEqual: negated('Equal'),
  Prelu: as('PRelu'),
  Prod: reduction('ReduceProd'),
  RealDiv: as('Div'),
  Relu6: (node) => clip6(node, node.input(0)),
  Rsqrt: (node) => reciprocal(node, node.onnx('Sqrt', [node.input(0)])),
  Select: select,
  SelectV2: as('Where'),
  Softmax: as('Softmax', () => ({ axis: { int: -1 } })),
  Square: (node) => square(node, node.input(0)),
  SquaredDifference: (node) => square(node, node.onnx('Sub', [node.input(0), node.input(1)])),
  Sum: reduction('ReduceSum'),
  _FusedMatMul: fused(matMul),
};
