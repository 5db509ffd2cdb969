import { describe, expect, it } from 'vitest';
import { ids, one, slice, END, type Case } from '../../testing/shape-cases.js';
import { bools, floats, int64s, smallDifferences } from '../../testing/small-model.js';
import type { AttributeValue, SmallTensor } from '../../testing/small-model.js';

const slices: Case[] = [
  slice('a part', ['batch', 5], [1], [4], [1]),
  slice('no axes named', ['batch', 5], [0, 2], [END, 5]),
  slice('from the end', ['batch', 5], [-3], [-1], [1]),
  slice('a negative axis, clamped', ['batch', 5], [-100], [100], [-1]),
  slice('backwards', ['batch', 5], [-1], [-END], [1], [-1]),
  slice('backwards to the first', ['batch', 5], [3], [-6], [1], [-1]),
  slice('backwards, clamped', ['batch', 5], [100], [1], [1], [-2]),
  slice('two axes with steps', ['batch', 7, 6], [5, 1], [0, END], [1, 2], [-2, 3]),
  slice('nothing', ['batch', 5], [3], [2], [1]),
  slice('of an axis of one', ['batch', 1], [0], [1], [1], [5]),
  one('Slice', 'attributes of old opsets', ['batch', 5], [], { starts: [1], ends: [END], axes: [1] }, { opset: 9 }),
];

const splitModel = (
  name: string,
  parts: number,
  constants: Record<string, SmallTensor>,
  attributes: Record<string, AttributeValue>,
  opset = 13,
  size = 6,
): Case => {
  const outputs = Array.from({ length: parts }, (_, i) => `y${i}`);
  const node = { op: 'Split', inputs: ['x', ...Object.keys(constants)], outputs, attributes };
  return {
    name: `Split - ${name}`,
    model: { opset, inputs: { x: { shape: ['batch', size, 2] } }, constants, nodes: [node], outputs },
  };
};

const splits: Case[] = [
  splitModel('equal parts', 3, {}, { axis: 1 }),
  splitModel('given parts', 2, { s: int64s([1, 5]) }, { axis: -2 }),
  splitModel('an empty part', 3, { s: int64s([0, 4, 2]) }, { axis: 1 }),
  splitModel('an attribute', 2, {}, { axis: 1, split: [2, 4] }, 11),
  splitModel('a number of outputs, the last smaller', 4, {}, { axis: 1, num_outputs: 4 }, 18, 7),
];

const pads: Case[] = [
  one('Pad', 'zeros', ['batch', 3], [int64s([0, 1, 0, 2])]),
  one('Pad', 'a number', ['batch', 3, 2], [int64s([0, 1, 0, 0, 2, 3]), floats([1.5], [])]),
  one('Pad', 'minus infinity', ['batch', 3], [int64s([0, 1, 0, 0]), floats([-Infinity], [])]),
  one('Pad', 'negative pads', ['batch', 5], [int64s([0, -1, 0, -2])]),
  one('Pad', 'one side cut, one padded', ['batch', 5], [int64s([0, -1, 0, 2]), floats([2], [])]),
  one('Pad', 'named axes', ['batch', 3, 2], [int64s([1, 0]), floats([0], []), int64s([-1])], {}, { opset: 18 }),
  one('Pad', 'reflect', ['batch', 4, 3], [int64s([0, 2, 1, 0, 3, 2])], { mode: 'reflect' }),
  one('Pad', 'edge', ['batch', 4, 1], [int64s([0, 2, 1, 0, 3, 2])], { mode: 'edge' }),
  one('Pad', 'wrap', ['batch', 4], [int64s([0, 2, 0, 3])], { mode: 'wrap' }, { opset: 19 }),
  one('Pad', 'attributes of old opsets', ['batch', 3], [], { pads: [0, 1, 0, 2], value: { float: 0.5 } }, { opset: 10 }),
];

const joins: Case[] = [
  {
    name: 'Concat - three, one of them constant',
    model: {
      inputs: { x: { shape: ['batch', 2] }, z: { shape: ['batch', 3] } },
      nodes: [{ op: 'Concat', inputs: ['x', 'z', 'x'], attributes: { axis: -1 } }],
    },
  },
  one('Tile', 'two axes', ['batch', 2, 3], [int64s([1, 2, 3])]),
  one('Tile', 'not at all', ['batch', 2], [int64s([1, 1])]),
  one('DepthToSpace', 'DCR', ['batch', 8, 2, 3], [], { blocksize: 2 }),
  one('DepthToSpace', 'CRD', ['batch', 8, 2, 3], [], { blocksize: 2, mode: 'CRD' }),
  one('SpaceToDepth', 'blocks of two', ['batch', 2, 4, 6], [], { blocksize: 2 }),
  one('Expand', 'a new axis', ['batch', 1, 3], [int64s([2, 1, 4, 1])]),
  one('Reshape', 'copied and remaining', ['batch', 4, 3], [int64s([0, 2, -1])]),
  one('Reshape', 'merged with the batch', ['batch', 4, 3], [int64s([-1, 3])]),
  one('Flatten', 'from the last axis', ['batch', 4, 3], [], { axis: -1 }),
  one('Squeeze', 'a named axis', ['batch', 1, 3, 1], [int64s([-1])]),
  one('Unsqueeze', 'both ends', ['batch', 3], [int64s([-1, 0])]),
];

const picks: Case[] = [
  one('Gather', 'one, from the end', ['batch', 4, 3], [int64s([-1], [])], { axis: 1 }),
  one('Gather', 'a table of indices', ['batch', 4, 3], [int64s([0, 3, -2, 1, 1, 2], [2, 3])], { axis: 1 }),
  one('Gather', 'evenly spaced backwards', ['batch', 4, 3], [int64s([3, 1])], { axis: -2 }),
  one('CumSum', 'exclusive from the end', ['batch', 4], [int64s([1], [])], { exclusive: 1, reverse: 1 }),
  one('CumSum', 'a negative axis', ['batch', 4, 2], [int64s([-2], [])]),
  one('Trilu', 'lower', ['batch', 3, 4], [], { upper: 0 }, { opset: 14 }),
  one('Trilu', 'upper, moved', ['batch', 3, 4], [int64s([1], [])], {}, { opset: 14 }),
  one('Trilu', 'lower, moved down', ['batch', 4, 3], [int64s([-2], [])], { upper: 0 }, { opset: 14 }),
];

const computed: Case[] = [
  {
    name: 'Gather - an embedding',
    model: {
      inputs: { x: ids(['batch', 3], 5) },
      constants: { table: floats([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [5, 2]) },
      nodes: [{ op: 'Gather', inputs: ['table', 'x'] }],
    },
  },
  {
    name: 'GatherElements - of each example',
    model: {
      inputs: { x: { shape: ['batch', 4, 2] }, i: ids(['batch', 3, 2], 4) },
      nodes: [{ op: 'GatherElements', inputs: ['x', 'i'], attributes: { axis: 1 } }],
    },
  },
  {
    name: 'GatherND - one row of each example',
    model: {
      inputs: { x: { shape: ['batch', 4, 2] }, i: ids(['batch', 1], 4) },
      nodes: [{ op: 'GatherND', inputs: ['x', 'i'], attributes: { batch_dims: 1 } }],
    },
  },
  {
    name: 'GatherND - two axes of a table',
    model: {
      inputs: { i: ids(['batch', 3, 2], 2) },
      constants: { t: floats([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]) },
      nodes: [{ op: 'GatherND', inputs: ['t', 'i'] }],
    },
  },
  {
    name: 'GatherND - the example and its place, counted',
    model: {
      inputs: { x: { shape: ['batch', 4, 2] }, i: ids(['batch', 1], 4) },
      constants: { zero: int64s([0], []), one: int64s([1], []), last: int64s([-1]) },
      nodes: [
        { op: 'Shape', inputs: ['x'], outputs: ['shape'] },
        { op: 'Gather', inputs: ['shape', 'zero'], outputs: ['size'] },
        { op: 'Range', inputs: ['zero', 'size', 'one'], outputs: ['rows'] },
        { op: 'Unsqueeze', inputs: ['rows', 'last'], outputs: ['column'] },
        { op: 'Concat', inputs: ['column', 'i'], outputs: ['places'], attributes: { axis: -1 } },
        { op: 'GatherND', inputs: ['x', 'places'] },
      ],
    },
  },
  {
    name: 'OneHot - ids',
    model: {
      inputs: { x: ids(['batch', 3], 5) },
      constants: { depth: int64s([4], []), values: floats([0, 1]) },
      nodes: [{ op: 'OneHot', inputs: ['x', 'depth', 'values'] }],
    },
  },
  {
    name: 'OneHot - another axis and other values',
    model: {
      inputs: { x: ids(['batch', 3], 5) },
      constants: { depth: int64s([4]), values: floats([-0.5, 2]) },
      nodes: [{ op: 'OneHot', inputs: ['x', 'depth', 'values'], attributes: { axis: 1 } }],
    },
  },
  {
    name: 'ScatterElements - known places',
    model: {
      inputs: { x: { shape: ['batch', 4] }, u: { shape: ['batch', 2] }, i: ids(['batch', 2], 1) },
      constants: { two: int64s([0, 2], [1, 2]) },
      nodes: [
        { op: 'Add', inputs: ['i', 'two'], outputs: ['places'] },
        { op: 'ScatterElements', inputs: ['x', 'places', 'u'], attributes: { axis: 1 } },
      ],
    },
  },
  {
    name: 'ScatterElements - sums',
    model: {
      opset: 18,
      inputs: { x: { shape: ['batch', 4] }, u: { shape: ['batch', 3] }, i: ids(['batch', 3], 4) },
      nodes: [{ op: 'ScatterElements', inputs: ['x', 'i', 'u'], attributes: { axis: 1, reduction: 'add' } }],
    },
  },
  {
    name: 'ScatterND - known rows',
    model: {
      inputs: { x: { shape: ['batch', 2] } },
      constants: { t: floats([1, 2, 3, 4, 5, 6], [3, 2]), i: int64s([2, -3], [2, 1]), u: floats([7, 8, 9, 10], [2, 2]) },
      nodes: [
        { op: 'ScatterND', inputs: ['t', 'i', 'u'], outputs: ['s'] },
        { op: 'MatMul', inputs: ['x', 'turned'] },
      ].toSpliced(1, 0, { op: 'Transpose', inputs: ['s'], outputs: ['turned'] }),
    },
  },
  {
    name: 'ScatterND - sums',
    model: {
      opset: 18,
      inputs: { i: ids(['batch', 1], 3), u: { shape: ['batch', 2] } },
      constants: { t: floats([1, 2, 3, 4, 5, 6], [3, 2]) },
      nodes: [{ op: 'ScatterND', inputs: ['t', 'i', 'u'], attributes: { reduction: 'add' } }],
    },
  },
  {
    name: 'Where - a mask',
    model: {
      inputs: { x: { shape: ['batch', 2, 2] } },
      constants: { m: bools([1, 0, 1, 1], [2, 2]), n: floats([-Infinity], []) },
      nodes: [{ op: 'Where', inputs: ['m', 'x', 'n'] }],
    },
  },
];

describe('what is read is what ONNX Runtime computes', () => {
  it.each([...slices, ...splits, ...pads, ...joins, ...picks, ...computed])('$name', async ({ model }) => {
    expect(await smallDifferences(model, 3)).toEqual([]);
    expect(await smallDifferences(model, 1)).toEqual([]);
  });
});
