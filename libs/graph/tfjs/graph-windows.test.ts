import { describeBesideTfjs, floats, type Case } from './testing/beside-tfjs.js';
import { int, ints, text, texts, type GraphFile } from './testing/graph-files.js';

/** [number of examples] */
const batchOf = (f: GraphFile, x: string): string =>
  f.node('StridedSlice', [f.node('Shape', [x]), f.wholes(0), f.wholes(1), f.wholes(1)]);

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

describeBesideTfjs(windows);
