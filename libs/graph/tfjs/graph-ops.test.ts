import '@tensorflow/tfjs-backend-cpu';
import { loadGraphModel } from '@tensorflow/tfjs-converter';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { parametersOf } from '../queries.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import { differences, randomTensor, uniform } from '../testing/numbers.js';
import { importGraphModel } from './graph-model.js';
import { GraphFile, flag, float, int, ints, text, texts, type } from './testing/graph-files.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const EXAMPLES = 3;

/** What real tfjs makes of the same file. */
async function theirs(file: GraphFile, x: ReferenceTensor): Promise<ArrayLike<number>> {
  const { modelTopology, weightsManifest } = file.json();
  const weightSpecs = weightsManifest.flatMap(({ weights }) => weights) as tf.io.WeightsManifestEntry[];
  const artifacts = { modelTopology, weightSpecs, weightData: file.bytes.buffer };
  const model = await loadGraphModel(tf.io.fromMemory(artifacts));
  const last = file.nodes.at(-1)?.name ?? '';
  const result = model.execute({ x: tf.tensor(Float32Array.from(x.data), [...x.shape]) }, last) as tf.Tensor;
  return result.dataSync();
}

function ours(file: GraphFile, x: ReferenceTensor): ArrayLike<number> | undefined {
  const graph = importGraphModel(file.json(), { external: () => file.bytes });
  const values = Object.fromEntries(
    parametersOf(graph).map(({ name, shape, initial }) => [
      name,
      { shape: shape as readonly number[], data: Float64Array.from(initial ?? []) },
    ]),
  );
  return runReference(graph, { ...values, x })[graph.outputs[0]?.name ?? '']?.data;
}

type Make = (file: GraphFile, x: string) => unknown;
type Case = readonly [name: string, shape: readonly number[], make: Make];

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

const floats = { T: type('DT_FLOAT') };

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
];

const windows: readonly Case[] = ['SAME', 'VALID'].flatMap((mode): readonly Case[] => {
  const at = (stride: number, dilation = 1) => ({
    padding: text(mode),
    strides: ints(1, stride, stride, 1),
    dilations: ints(1, dilation, dilation, 1),
    data_format: text('NHWC'),
    ...floats,
  });
  const window = { padding: text(mode), ksize: ints(1, 3, 2, 1), strides: ints(1, 2, 2, 1), ...floats };
  return [
    [`Conv2D ${mode}`, [6, 5, 2], (f, x) => f.node('Conv2D', [x, f.weight('w', [3, 2, 2, 4])], at(2))],
    [`Conv2D ${mode}, dilated`, [6, 5, 2], (f, x) => f.node('Conv2D', [x, f.weight('w', [2, 2, 2, 3])], at(1, 2))],
    [
      `_FusedConv2D ${mode}`,
      [6, 5, 2],
      (f, x) =>
        f.node('_FusedConv2D', [x, f.weight('w', [3, 3, 2, 4]), f.weight('bias', [4])], {
          ...at(1),
          fused_ops: texts('BiasAdd', 'Relu'),
          num_args: int(1),
        }),
    ],
    [
      `Conv2D, explicit padding (beside ${mode})`,
      [6, 5, 2],
      (f, x) =>
        f.node('Conv2D', [x, f.weight('w', [3, 3, 2, 2])], {
          ...at(1),
          padding: text('EXPLICIT'),
          explicit_paddings: ints(0, 0, 2, 1, 0, 1, 0, 0),
        }),
    ],
    [
      `DepthwiseConv2dNative ${mode}`,
      [6, 5, 3],
      (f, x) => f.node('DepthwiseConv2dNative', [x, f.weight('w', [3, 2, 3, 2])], at(2)),
    ],
    [
      `FusedDepthwiseConv2dNative ${mode}`,
      [6, 5, 3],
      (f, x) =>
        f.node('FusedDepthwiseConv2dNative', [x, f.weight('w', [3, 3, 3, 1]), f.weight('bias', [3])], {
          ...at(1),
          fused_ops: texts('BiasAdd', 'Relu6'),
          num_args: int(1),
        }),
    ],
    [`MaxPool ${mode}`, [6, 5, 2], (f, x) => f.node('MaxPool', [x], window)],
    [`AvgPool ${mode}`, [6, 5, 2], (f, x) => f.node('AvgPool', [x], window)],
    [
      `Conv2DBackpropInput ${mode}`,
      [3, 4, 2],
      (f, x) => {
        const rest = mode === 'SAME' ? f.wholes(5, 8, 3) : f.wholes(8, 9, 3);
        const size = f.node('ConcatV2', [batchOf(f, x), rest, f.whole(0)], { N: int(2) });
        return f.node('Conv2DBackpropInput', [size, f.weight('w', [3, 3, 3, 2]), x], at(2));
      },
    ],
  ];
});

/** [number of examples] */
const batchOf = (f: GraphFile, x: string): string =>
  f.node('StridedSlice', [f.node('Shape', [x]), f.wholes(0), f.wholes(1), f.wholes(1)]);

/** The number of examples. */
const examplesOf = (f: GraphFile, x: string): string =>
  f.node('StridedSlice', [f.node('Shape', [x]), f.wholes(0), f.wholes(1), f.wholes(1)], { shrink_axis_mask: int(1) });

const cut = (f: GraphFile, x: string, lists: readonly (readonly number[])[], masks: Readonly<Record<string, number>>): string =>
  f.node(
    'StridedSlice',
    [x, ...lists.map((list) => f.wholes(...list))],
    Object.fromEntries(Object.entries(masks).map(([k, v]) => [k, int(v)])),
  );

const shapes: readonly Case[] = [
  ['Reshape', [3, 4], (f, x) => f.node('Reshape', [x, f.wholes(-1, 12)])],
  [
    'Reshape that merges examples',
    [3, 4],
    (f, x) => f.node('Reshape', [f.node('Reshape', [x, f.wholes(-1, 4)]), f.wholes(-1, 3, 4)]),
  ],
  [
    'Reshape by a packed shape',
    [3, 4],
    (f, x) => f.node('Reshape', [x, f.node('Pack', [examplesOf(f, x), f.whole(2), f.whole(6)], { N: int(3), axis: int(0) })]),
  ],
  [
    'Reshape by a product of sizes',
    [3, 4],
    (f, x) => {
      const tail = f.node('StridedSlice', [f.node('Shape', [x]), f.wholes(1), f.wholes(0), f.wholes(1)], { end_mask: int(1) });
      const many = f.node('Prod', [tail, f.wholes(0)]);
      return f.node('Reshape', [x, f.node('Pack', [examplesOf(f, x), many], { N: int(2), axis: int(0) })]);
    },
  ],
  ['Transpose', [3, 4], (f, x) => f.node('Transpose', [x, f.wholes(0, 2, 1)])],
  [
    'ExpandDims and Squeeze',
    [3],
    (f, x) =>
      f.node('Squeeze', [f.node('ExpandDims', [f.node('ExpandDims', [x, f.whole(1)]), f.whole(-1)])], { squeeze_dims: ints(1) }),
  ],
  ['ConcatV2', [3], (f, x) => f.node('ConcatV2', [x, f.node('Square', [x]), f.whole(-1)], { N: int(2) })],
  ['Split', [6], (f, x) => f.node('Sub', [...splitOf(f, x)])],
  [
    'SplitV',
    [6],
    (f, x) => {
      const parts = f.node('SplitV', [x, f.wholes(2, -1), f.whole(1)], { num_split: int(2) });
      return f.node('ConcatV2', [`${parts}:1`, parts, f.whole(1)], { N: int(2) });
    },
  ],
  [
    'Unpack and Pack',
    [3, 2],
    (f, x) => {
      const parts = f.node('Unpack', [x], { num: int(3), axis: int(1) });
      return f.node('Pack', [`${parts}:2`, `${parts}:0`], { N: int(2), axis: int(2) });
    },
  ],
  ['Slice', [3, 4], (f, x) => f.node('Slice', [x, f.wholes(0, 1, 1), f.wholes(-1, 2, 3)])],
  [
    'StridedSlice x[:, 1:, ::2]',
    [3, 4],
    (f, x) =>
      cut(
        f,
        x,
        [
          [0, 1, 0],
          [0, 0, 0],
          [1, 1, 2],
        ],
        { begin_mask: 5, end_mask: 7 },
      ),
  ],
  [
    'StridedSlice x[:, -1]',
    [3, 4],
    (f, x) =>
      cut(
        f,
        x,
        [
          [0, -1],
          [0, 0],
          [1, 1],
        ],
        { begin_mask: 1, end_mask: 1, shrink_axis_mask: 2 },
      ),
  ],
  [
    'StridedSlice x[..., 1]',
    [3, 4],
    (f, x) =>
      cut(
        f,
        x,
        [
          [0, 1],
          [0, 2],
          [1, 1],
        ],
        { ellipsis_mask: 1, shrink_axis_mask: 2 },
      ),
  ],
  [
    'StridedSlice x[:, None, ::-1]',
    [3, 4],
    (f, x) =>
      cut(
        f,
        x,
        [
          [0, 0, 0],
          [0, 0, 0],
          [1, 1, -1],
        ],
        { begin_mask: 5, end_mask: 5, new_axis_mask: 2 },
      ),
  ],
  ['Pad', [3, 2], (f, x) => f.node('Pad', [x, f.weight('pads', [3, 2], [0, 0, 1, 2, 0, 1], 'int32')])],
  ['PadV2', [3, 2], (f, x) => f.node('PadV2', [x, f.weight('pads', [3, 2], [0, 0, 1, 0, 0, 1], 'int32'), f.number(1.5)])],
  [
    'MirrorPad',
    [3, 2],
    (f, x) => f.node('MirrorPad', [x, f.weight('pads', [3, 2], [0, 0, 1, 2, 0, 1], 'int32')], { mode: text('REFLECT') }),
  ],
  ['Tile', [3, 2], (f, x) => f.node('Tile', [x, f.wholes(1, 2, 3)])],
  ['GatherV2', [3, 2], (f, x) => f.node('GatherV2', [x, f.wholes(2, 0), f.whole(1)], { batch_dims: int(0) })],
  [
    'GatherV2 from a table',
    [3],
    (f, x) =>
      f.node('GatherV2', [
        f.weight('table', [4, 2]),
        f.node('Cast', [f.node('Abs', [f.node('Round', [x])])], { DstT: type('DT_INT32') }),
        f.whole(0),
      ]),
  ],
  [
    'OneHot',
    [3],
    (f, x) => {
      const indices = f.node('Cast', [f.node('Abs', [f.node('Round', [x])])], { DstT: type('DT_INT32') });
      return f.node('OneHot', [indices, f.whole(3), f.number(2), f.number(-1)], { axis: int(-1) });
    },
  ],
  [
    'Fill, Range, Cast and sizes',
    [4],
    (f, x) => {
      const size = f.node('Pack', [examplesOf(f, x), f.whole(4)], { N: int(2), axis: int(0) });
      const filled = f.node('Fill', [size, f.number(0.5)]);
      const places = f.node('Cast', [f.node('Range', [f.whole(0), f.whole(4), f.whole(1)])], { DstT: type('DT_FLOAT') });
      return f.node('AddV2', [f.node('Mul', [x, filled]), places]);
    },
  ],
  [
    'GatherNd',
    [3, 2],
    (f, x) =>
      f.node('GatherNd', [
        f.weight('table', [3, 4]),
        f.node('Cast', [f.node('Abs', [f.node('Round', [x])])], { DstT: type('DT_INT32') }),
      ]),
  ],
  [
    'BroadcastTo',
    [1, 2],
    (f, x) => f.node('BroadcastTo', [x, f.node('Pack', [examplesOf(f, x), f.whole(3), f.whole(2)], { N: int(3), axis: int(0) })]),
  ],
  [
    'Rank and Size',
    [3, 2],
    (f, x) => {
      const numbers = ['Rank', 'Size'].map((op) => f.node('Cast', [f.node(op, [x])], { DstT: type('DT_FLOAT') }));
      return f.node('RealDiv', [f.node('Mul', [x, numbers[0] ?? '']), numbers[1] ?? '']);
    },
  ],
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

function splitOf(f: GraphFile, x: string): readonly string[] {
  const parts = f.node('Split', [f.whole(1), x], { num_split: int(3) });
  return [`${parts}:2`, `${parts}:0`];
}

describe.each([...elementwise, ...products, ...windows, ...shapes])('TensorFlow operator %s', (_, shape, make) => {
  it('gives what tfjs gives', async () => {
    const file = new GraphFile();
    make(file, file.placeholder('x', [-1, ...shape]));
    const x = randomTensor([EXAMPLES, ...shape], uniform(7));
    expect(differences(ours(file, x), await theirs(file, x), 3e-6)).toEqual([]);
  });
});
