/** Each ONNX operator that is read as reductions computes what ONNX Runtime makes of it itself. */
import {
  axesOf,
  describeAsRead,
  edges,
  fed,
  positive,
  unary,
  wholes,
  type Operator,
  type Tensor,
} from '../testing/operator-beside-ort.js';

const cube: Tensor = [
  [2, 3, 2],
  [0.3, -1.2, 0.7, 2.1, 2.1, 0.9, -3, 0, 0.1, 0, 4, -0.2],
];

const sums = [
  'ReduceSum',
  'ReduceMean',
  'ReduceMax',
  'ReduceMin',
  'ReduceProd',
  'ReduceL1',
  'ReduceL2',
  'ReduceSumSquare',
  'ReduceLogSumExp',
];
const reductions: readonly Operator[] = [
  ...sums.flatMap((op): Operator[] => [
    unary(op, cube, { case: 'all axes, kept' }),
    unary(op, cube, { case: 'axes as an attribute', opset: 11, ints: { axes: [-1, 1], keepdims: 0 } }),
    { op, case: 'axes as an input', opset: 18, inputs: [fed(cube), axesOf(1)], ints: { keepdims: 0 } },
    { op, case: 'no axes, which is all', opset: 18, inputs: [fed(cube), axesOf()], ints: { keepdims: 0 } },
    unary(
      op,
      [
        [2, 1],
        [-3, 2],
      ],
      { case: 'one element', opset: 11, ints: { axes: [1], keepdims: 0 } },
    ),
  ]),
  ...['ReduceSum', 'ReduceMax', 'ReduceProd'].map((op): Operator => ({
    op,
    case: 'no axes, which is nothing',
    opset: 18,
    inputs: [fed(cube), axesOf()],
    ints: { noop_with_empty_axes: 1 },
  })),
  ...['ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd'].map((op): Operator => ({
    op,
    case: 'whole numbers',
    opset: 18,
    inputs: [fed(wholes, 'int64'), axesOf(1)],
  })),
  { op: 'ReduceLogSum', opset: 18, inputs: [fed(positive), axesOf(1)] },
  unary(
    'ReduceLogSumExp',
    [
      [2, 2],
      [1000, 999, -1000, -1000],
    ],
    { case: 'large numbers', opset: 11, ints: { axes: [1] } },
  ),
  unary('ReduceMax', edges, { case: 'edges', opset: 11, ints: { axes: [0] } }),
  ...['ArgMax', 'ArgMin'].flatMap((op) => [
    unary(op, cube, { ints: { axis: 1 } }),
    unary(op, cube, { case: 'without the axis', ints: { axis: -1, keepdims: 0 } }),
  ]),
];

describeAsRead('reductions', reductions);
