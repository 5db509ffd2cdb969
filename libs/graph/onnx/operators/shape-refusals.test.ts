import { describe, expect, it } from 'vitest';
import { UnsupportedModel } from '../../errors.js';
import { ids, one, slice, END, type Case } from '../../testing/shape-cases.js';
import { floats, int64s, smallModel } from '../../testing/small-model.js';
import { importOnnx } from '../import.js';

describe('what cannot be meant, or depends on other examples, is refused with the name of the node', () => {
  const x = ['batch', 4, 3] as const;
  it.each<readonly [string, Case, string]>([
    ['an index that is not there', one('Gather', '', x, [int64s([4], [])], { axis: 1 }), 'index 4 is outside of an axis of 4'],
    ['a negative index that is not there', one('Gather', '', x, [int64s([0, -5])], { axis: 1 }), 'index -5'],
    ['elements that are not there', one('GatherElements', '', ['batch', 4], [int64s([7], [1, 1])], { axis: 1 }), 'index 7'],
    ['the first example', one('Gather', '', x, [int64s([0], [])]), 'picked by their places'],
    ['all examples but the first', slice('', x, [1], [END], [0]), 'the axis of the examples'],
    ['the examples backwards', slice('', x, [-1], [-END], [0], [-1]), 'the axis of the examples'],
    ['every second example', slice('', x, [0], [END], [0], [2]), 'the axis of the examples'],
    ['a step of nothing', slice('', x, [0], [2], [1], [0]), 'step of 0'],
    [
      'examples joined',
      one('Concat', '', x, [
        floats(
          Array.from({ length: 12 }, () => 0),
          [1, 4, 3],
        ),
      ]),
      'axis of the examples',
    ],
    ['examples padded', one('Pad', '', x, [int64s([1, 0, 0, 0, 0, 0])]), 'axis of the examples'],
    ['a sum over examples', one('CumSum', '', x, [int64s([0], [])]), 'over the examples'],
    ['parts that do not add up', one('Split', '', x, [int64s([1, 2])], { axis: 1 }), 'parts of 1, 2 of an axis of 4'],
    ['a mode that is not known', one('Pad', '', x, [int64s([0, 1, 0, 0, 0, 0])], { mode: 'mirror' }), "mode 'mirror'"],
    ['a reflection longer than the axis', one('Pad', '', x, [int64s([0, 4, 0, 0, 0, 0])], { mode: 'reflect' }), 'axis of 4'],
    ['other sizes joined', one('Concat', '', x, [floats([1, 2], [2, 1, 1])], { axis: 2 }), 'cannot be joined'],
    ['an axis that is not there', one('Gather', '', x, [int64s([0], [])], { axis: 3 }), 'Axis 3'],
    [
      'two values for one place',
      one('ScatterElements', '', ['batch', 4], [int64s([1, 1], [1, 2]), floats([1, 2], [1, 2])], { axis: 1 }),
      'two values',
    ],
    [
      'a reduction that is not known',
      one('ScatterElements', '', ['batch', 4], [int64s([1], [1, 1]), floats([1], [1, 1])], { axis: 1, reduction: 'mul' }),
      "reduction 'mul'",
    ],
  ])('%s', (_name, { model }, reason) => {
    const read = (): unknown => importOnnx(smallModel(model), { parameters: [] });
    expect(read).toThrow(reason);
    expect(read).toThrow(new RegExp(`${model.nodes[0]?.op} 0`));
  });
});

describe('sizes that nobody can mean are refused while importing', () => {
  const x = ['batch', 4, 3] as const;
  it.each<readonly [string, Case]>([
    ['a negative repeat', one('Tile', '', x, [int64s([1, -1, 1])])],
    ['10¹² repeats', one('Tile', '', x, [int64s([1, 1e12, 1])])],
    ['a negative size', one('Expand', '', x, [int64s([1, -4, 3])])],
    ['a size of minus two', one('Reshape', '', x, [int64s([0, -2, -6])])],
    ['two remaining sizes', one('Reshape', '', x, [int64s([0, -1, -1])])],
    ['padding of 10¹²', one('Pad', '', x, [int64s([0, 0, 1e12, 0, 0, 0])])],
    ['more cut off than there is', one('Pad', '', x, [int64s([0, 0, -2, 0, 0, -2])])],
    ['a list of pads that is too short', one('Pad', '', x, [int64s([0, 1])])],
    ['negative parts', one('Split', '', x, [int64s([-1, 5])], { axis: 1 })],
    ['blocks of nothing', one('DepthToSpace', '', ['batch', 4, 2, 2], [], { blocksize: 0 })],
    ['blocks that do not fit', one('SpaceToDepth', '', ['batch', 4, 3, 2], [], { blocksize: 2 })],
    ['too few axes', one('SpaceToDepth', '', x, [], { blocksize: 2 })],
    ['a permutation of other axes', one('Transpose', '', x, [], { perm: [0, 1, 5] })],
    ['an axis twice', one('Transpose', '', x, [], { perm: [0, 1, 1] })],
    ['an axis twice', one('Unsqueeze', '', x, [int64s([1, 1])])],
    ['an axis that is no unit', one('Squeeze', '', x, [int64s([1])])],
    ['starts without ends', one('Slice', '', x, [int64s([0, 0]), int64s([1]), int64s([1, 2])])],
    ['indices that are floats', one('Gather', '', x, [floats([1], [])], { axis: 1 })],
    ['a triangle of a list', one('Trilu', '', ['batch'], [])],
    [
      'a negative depth',
      {
        name: 'OneHot - ',
        model: {
          inputs: { x: ids(['batch'], 3) },
          constants: { d: int64s([-1]), v: floats([0, 1]) },
          nodes: [{ op: 'OneHot', inputs: ['x', 'd', 'v'] }],
        },
      },
    ],
    [
      '10¹² classes',
      {
        name: 'OneHot - ',
        model: {
          inputs: { x: ids(['batch'], 3) },
          constants: { d: int64s([1e12]), v: floats([0, 1]) },
          nodes: [{ op: 'OneHot', inputs: ['x', 'd', 'v'] }],
        },
      },
    ],
    [
      'indices of more axes than there are',
      {
        name: 'GatherND - ',
        model: {
          inputs: { x: ids(['batch', 3], 3) },
          constants: { t: floats([1, 2], [2]) },
          nodes: [{ op: 'GatherND', inputs: ['t', 'x'] }],
        },
      },
    ],
  ])('%s', (_name, { model }) => {
    const read = (): unknown => importOnnx(smallModel(model), { parameters: [] });
    expect(read).toThrow(UnsupportedModel);
  });
});
