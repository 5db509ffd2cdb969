import { describeBesideTfjs, type Case } from './testing/beside-tfjs.js';
import { int, ints, text, type, type GraphFile } from './testing/graph-files.js';

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
];

function splitOf(f: GraphFile, x: string): readonly string[] {
  const parts = f.node('Split', [f.whole(1), x], { num_split: int(3) });
  return [`${parts}:2`, `${parts}:0`];
}

describeBesideTfjs(shapes);
