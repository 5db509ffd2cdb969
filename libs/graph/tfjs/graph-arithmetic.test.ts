import { describeBesideTfjs, floats, type Case } from './testing/beside-tfjs.js';
import { flag, float, int, text, texts, type, type GraphFile } from './testing/graph-files.js';

const unary = (op: string, attr = {}): Case => [op, [5], (f, x) => f.node(op, [x], attr)];
/** Of numbers above 0. */
const positive = (op: string): Case => [op, [5], (f, x) => f.node(op, [f.node('AddV2', [x, f.number(3)])])];
const binary = (op: string, attr = {}): Case => [op, [5], (f, x) => f.node(op, [x, f.weight('w', [5])], attr)];
/** Truth values, as floats. */
const asFloat = (f: GraphFile, condition: string): string =>
  f.node('Cast', [condition], { SrcT: type('DT_BOOL'), DstT: type('DT_FLOAT') });
const compared = (op: string): Case => [
  op,
  [5],
  (f, x) => asFloat(f, f.node(op, [f.node('Round', [x]), f.weight('w', [5], [0, 1, 0, -1, 0])])),
];
const reduced = (op: string, axes: readonly number[], keepDims: boolean): Case => [
  `${op} over ${axes.join(', ')}${keepDims ? ', kept' : ''}`,
  [3, 4],
  (f, x) => f.node(op, [x, f.wholes(...axes)], { keep_dims: flag(keepDims) }),
];

const elementwise: readonly Case[] = [
  ...['Abs', 'Ceil', 'Cos', 'Elu', 'Erf', 'Exp', 'Expm1', 'Floor', 'Identity', 'Neg', 'Relu', 'Relu6', 'Round', 'Selu'].map(
    (op) => unary(op),
  ),
  ...['Sigmoid', 'Sign', 'Sin', 'Softplus', 'Square', 'Tanh', 'ZerosLike', 'OnesLike'].map((op) => unary(op)),
  ...['Log', 'Log1p', 'Rsqrt', 'Sqrt', 'Reciprocal'].map(positive),
  unary('LeakyRelu', { alpha: float(0.3) }),
  ...['Add', 'AddV2', 'Sub', 'Mul', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference', 'Prelu', 'FloorDiv', 'FloorMod'].map(
    (op) => binary(op),
  ),
  ['Pow', [5], (f, x) => f.node('Pow', [f.node('Abs', [x]), f.weight('w', [5])])],
  ['DivNoNan', [5], (f, x) => f.node('DivNoNan', [x, f.weight('w', [5], [1, 0, 2, 0, -1])])],
  ['AddN', [5], (f, x) => f.node('AddN', [x, x, f.node('Square', [x])], { N: int(3), ...floats })],
  ...['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'].map(compared),
  [
    'logic and SelectV2',
    [5],
    (f, x) => {
      const [a, b] = [f.node('Greater', [x, f.number(0)]), f.node('Less', [x, f.number(0.4)])];
      const both = f.node('LogicalOr', [f.node('LogicalAnd', [a, b]), f.node('LogicalNot', [a])]);
      return f.node('SelectV2', [both, x, f.weight('w', [5])]);
    },
  ],
  ['Select', [5], (f, x) => f.node('Select', [f.node('Greater', [x, f.node('ZerosLike', [x])]), x, f.node('Neg', [x])])],
  ...['Atan', 'Asinh', 'Cosh', 'Sinh', 'Tan'].map((op) => unary(op)),
  [
    'Cast to whole numbers',
    [5],
    (f, x) => {
      const scaled = f.node('Mul', [x, f.number(3.7)]);
      return f.node('Cast', [f.node('Cast', [scaled], { DstT: type('DT_INT32') })], { DstT: type('DT_FLOAT') });
    },
  ],
];

const products: readonly Case[] = [
  ['MatMul', [4], (f, x) => f.node('MatMul', [x, f.weight('w', [4, 3])])],
  ['MatMul, transposed', [4], (f, x) => f.node('MatMul', [x, f.weight('w', [3, 4])], { transpose_b: flag(true) })],
  ['BiasAdd', [4], (f, x) => f.node('BiasAdd', [x, f.weight('b', [4])])],
  ...[['BiasAdd'], ['BiasAdd', 'Relu'], ['BiasAdd', 'Relu6'], ['BiasAdd', 'Elu'], ['BiasAdd', 'Sigmoid']].map((ops): Case => [
    `_FusedMatMul with ${ops.join(', ')}`,
    [4],
    (f, x) =>
      f.node('_FusedMatMul', [x, f.weight('w', [4, 3]), f.weight('bias', [3])], {
        fused_ops: texts(...ops),
        num_args: int(1),
        ...floats,
      }),
  ]),
  [
    '_FusedMatMul with Prelu',
    [4],
    (f, x) =>
      f.node('_FusedMatMul', [x, f.weight('w', [4, 3]), f.weight('bias', [3]), f.weight('slope', [3])], {
        fused_ops: texts('BiasAdd', 'Prelu'),
        num_args: int(2),
        ...floats,
      }),
  ],
  ['BatchMatMulV2', [2, 4], (f, x) => f.node('BatchMatMulV2', [x, f.weight('w', [1, 4, 3])])],
  ['BatchMatMulV2 with itself', [2, 4], (f, x) => f.node('BatchMatMulV2', [x, x], { adj_y: flag(true) })],
  ['BatchMatMul, first transposed', [2, 4], (f, x) => f.node('BatchMatMul', [x, x], { adj_x: flag(true) })],
  [
    'Einsum',
    [2, 4],
    (f, x) => f.node('Einsum', [x, f.weight('w', [4, 3])], { equation: text('abc,cd->abd'), N: int(2), ...floats }),
  ],
  ['Softmax', [4], (f, x) => f.node('Softmax', [x])],
  ['LogSoftmax', [4], (f, x) => f.node('LogSoftmax', [x])],
  ['Cumsum', [4], (f, x) => f.node('Cumsum', [x, f.whole(1)], { exclusive: flag(true), reverse: flag(true) })],
  ['ArgMax', [4], (f, x) => f.node('Cast', [f.node('ArgMax', [x, f.whole(1)])], { DstT: type('DT_FLOAT') })],
  ...['Mean', 'Sum', 'Max', 'Min', 'Prod'].flatMap((op) => [reduced(op, [1], false), reduced(op, [-1, 1], true)]),
  reduced('Mean', [], false),
  [
    'FusedBatchNormV3',
    [3, 4, 2],
    (f, x) =>
      f.node(
        'FusedBatchNormV3',
        [x, f.weight('scale', [2]), f.weight('offset', [2]), f.weight('mean', [2]), f.weight('variance', [2], [0.5, 2])],
        { epsilon: float(0.01), is_training: flag(false), data_format: text('NHWC'), ...floats },
      ),
  ],
];

describeBesideTfjs([...elementwise, ...products]);
