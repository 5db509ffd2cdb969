import { describe, expect, it } from 'vitest';
import type { Graph } from '../../graph.js';
import { bools, floats, int64s, smallDifferences, smallModel } from '../../testing/small-model.js';
import type { SmallModel, SmallNode, SmallTensor } from '../../testing/small-model.js';
import { importOnnx } from '../import.js';

const X: SmallModel['inputs'] = { x: { shape: ['batch', 4, 6] } };

/** The nodes compute `sizes`, to which x is then reshaped. */
const sized = (constants: Record<string, SmallTensor>, nodes: readonly SmallNode[]): SmallModel => ({
  inputs: X,
  constants,
  nodes: [{ op: 'Shape', inputs: ['x'], outputs: ['shape'] }, ...nodes, { op: 'Reshape', inputs: ['x', 'sizes'] }],
});

/** The nodes compute `mask` or other numbers that are added to x. */
const added = (constants: Record<string, SmallTensor>, nodes: readonly SmallNode[]): SmallModel => ({
  inputs: X,
  constants,
  nodes: [{ op: 'Shape', inputs: ['x'], outputs: ['shape'] }, ...nodes, { op: 'Add', inputs: ['x', 'numbers'] }],
});

const op = (name: string, inputs: string, outputs: string, attributes: SmallNode['attributes'] = {}): SmallNode => ({
  op: name,
  inputs: inputs.split(' ').filter(Boolean),
  outputs: outputs.split(' '),
  attributes,
});

const scalars = Object.fromEntries([0, 1, 2, 3, 4, 24].map((n) => [`n${n}`, int64s([n], [])]));
const lists = Object.fromEntries([-1, 0, 1, 2, 24].map((n) => [`l${n}`, int64s([n])]));

const models: Readonly<Record<string, SmallModel>> = {
  'x.view(x.size(0), -1)': sized({ ...scalars, ...lists }, [
    op('Gather', 'shape n0', 'b'),
    op('Unsqueeze', 'b l0', 'bl'),
    op('Concat', 'bl l-1', 'sizes', { axis: 0 }),
  ]),
  'x.view(b * t, d)': sized({ ...scalars, ...lists }, [
    op('Split', 'shape', 'b t d', { axis: 0 }),
    op('Mul', 'b t', 'rows'),
    op('Concat', 'rows d', 'sizes', { axis: 0 }),
  ]),
  'x.view(b, numel // b)': sized({ ...scalars, ...lists }, [
    op('Slice', 'shape l0 l1', 'b'),
    op('ReduceProd', 'shape', 'all', { keepdims: 1 }),
    op('Div', 'all b', 'rest'),
    op('Concat', 'b rest', 'sizes', { axis: 0 }),
  ]),
  'x.reshape(b + b, -1) of halves': sized({ ...scalars, ...lists }, [
    op('Gather', 'shape l0', 'b'),
    op('Add', 'b b', 'bb'),
    op('Concat', 'bb l-1', 'sizes', { axis: 0 }),
  ]),
  'where(shape == -1, 1, shape)': sized({ minus: int64s([-1]), ...lists }, [
    op('Shape', 'shape', 'three'),
    op('Equal', 'shape minus', 'open'),
    op('ConstantOfShape', 'three', 'ones', { value: { tensor: int64s([1]) } }),
    op('Where', 'open ones shape', 'sizes'),
  ]),
  'the last axes turned around': sized({ ...lists, back: int64s([-1]), first: int64s([-1e15]), start: int64s([-1]) }, [
    op('Slice', 'shape l0 l1', 'b'),
    op('Slice', 'shape start l0 l0 back', 'turned'),
    op('Concat', 'b turned', 'sizes', { axis: 0 }),
  ]),
  'min, max and mod of sizes': sized({ ...scalars, ...lists, l3: int64s([3]) }, [
    op('Gather', 'shape l0', 'b'),
    op('Max', 'b l1', 'same'),
    op('Mul', 'b l24', 'all'),
    op('Mod', 'all l2', 'zero'),
    op('Add', 'same zero', 'again'),
    op('Min', 'l24 all', 'm'),
    op('Concat', 'again m', 'sizes', { axis: 0 }),
  ]),
  'sizes by way of floats': sized({ ...lists, half: floats([0.5]) }, [
    op('Cast', 'shape', 'f', { to: 1 }),
    op('Mul', 'f half', 'halves'),
    op('Add', 'halves halves', 'whole'),
    op('Floor', 'whole', 'floor'),
    op('Cast', 'floor', 'sizes', { to: 7 }),
  ]),
  'scattered and gathered sizes': sized({ ...lists, at: int64s([1, 2], [2, 1]), put: int64s([6, 4]) }, [
    op('ScatterND', 'shape at put', 'sizes'),
  ]),
  'a causal mask of positions': added({ ...scalars, ...lists, minus: floats([-1e9], []), none: floats([0], []) }, [
    op('Gather', 'shape n1', 't'),
    op('Gather', 'shape n2', 'd'),
    op('Range', 'n0 t n1', 'rows'),
    op('Range', 'n0 d n1', 'columns'),
    op('Unsqueeze', 'rows l1', 'r'),
    op('LessOrEqual', 'columns r', 'causal'),
    op('Less', 'columns n3', 'early'),
    op('And', 'causal early', 'both'),
    op('Not', 'both', 'neither'),
    op('Not', 'neither', 'seen'),
    op('Where', 'seen none minus', 'mask'),
    op('Unsqueeze', 'mask l0', 'm'),
    op('Expand', 'm shape', 'numbers'),
  ]),
  'a triangle of ones': added({ ...scalars, sq: int64s([4, 6]) }, [
    op('ConstantOfShape', 'sq', 'ones', { value: { tensor: floats([1]) } }),
    op('Trilu', 'ones n1', 'numbers'),
  ]),
  'places of what is true': added({ mask: bools([1, 0, 0, 1, 1, 0, 1, 1, 0, 1], [10]), ...lists }, [
    op('NonZero', 'mask', 'places'),
    op('Cast', 'places', 'numbers', { to: 1 }),
  ]),
  'a unit matrix': added(
    {
      m: floats(
        Array.from({ length: 24 }, () => 0),
        [4, 6],
      ),
    },
    [op('EyeLike', 'm', 'numbers', { k: 1 })],
  ),
  '1 / sqrt(d)': added({ ...scalars, one: floats([1], []) }, [
    op('Gather', 'shape n2', 'd'),
    op('Cast', 'd', 'f', { to: 1 }),
    op('Sqrt', 'f', 'root'),
    op('Div', 'one root', 'numbers'),
  ]),
  'b as a float': added({ ...scalars, one: floats([1.5], []) }, [
    op('Gather', 'shape n0', 'b'),
    op('Cast', 'b', 'f', { to: 1 }),
    op('Sqrt', 'f', 'root'),
    op('Add', 'root one', 'numbers'),
  ]),
  'sizes as floats': added({ ...lists, d: int64s([1, 1, 3]) }, [
    op('Cast', 'shape', 'f', { to: 1 }),
    op('Reshape', 'f d', 'three'),
    op('ReduceMean', 'three', 'numbers', { axes: [2] }),
  ]),
};
const opsOf = (graph: Graph): string[] => graph.nodes.map((node) => node.op);
const imported = (model: SmallModel): Graph => importOnnx(smallModel(model), { parameters: [] });

describe('what a model computes of sizes', () => {
  it.each(Object.entries(models))('%s', async (_name, model) => {
    expect(await smallDifferences(model, 2)).toEqual([]);
    expect(await smallDifferences(model, 6)).toEqual([]);
  });

  it('leaves nothing in the graph but what is done to x', () => {
    const left = Object.entries(models).map(([name, model]) => [
      name,
      opsOf(imported(model)).filter((each) => each !== 'reshape'),
    ]);
    const busy = left.filter(([name, ops]) => !String(name).includes('float') && (ops?.length ?? 0) > 1);
    expect(busy).toEqual([]);
  });

  it.each([
    [
      'b + 1',
      [op('Gather', 'shape l0', 'b'), op('Add', 'b l1', 'one'), op('Concat', 'one l-1', 'sizes', { axis: 0 })],
      'batch + 1',
    ],
    [
      'b // 2',
      [op('Gather', 'shape l0', 'b'), op('Div', 'b l2', 'half'), op('Concat', 'half l-1', 'sizes', { axis: 0 })],
      'batch / 2',
    ],
    [
      'b == 1',
      [
        op('Gather', 'shape l0', 'b'),
        op('Equal', 'b l1', 'is'),
        op('Where', 'is l1 b', 'one'),
        op('Concat', 'one l-1', 'sizes', { axis: 0 }),
      ],
      'batch = 1',
    ],
    ['-b', [op('Gather', 'shape l0', 'b'), op('Neg', 'b', 'minus'), op('Concat', 'minus l-1', 'sizes', { axis: 0 })], 'batch*-1'],
    ['a range of 10¹²', [op('Range', 'n0 huge n1', 'sizes')], 'would be made'],
    ['a range of the batch from 1', [op('Gather', 'shape n0', 'b'), op('Range', 'n1 b n1', 'sizes')], 'batch + -1'],
    ['a range without end', [op('Range', 'n1 n4 n0', 'sizes')], 'in steps of 0'],
    [
      'zeros of 10¹²',
      [op('ConstantOfShape', 'hugel', 'many', { value: { tensor: int64s([1]) } }), op('ReduceSum', 'many', 'sizes')],
      'would be made',
    ],
    ['tiles of 10¹²', [op('Tile', 'l0 hugel', 'sizes')], 'would be made'],
    ['a size that is not there', [op('Gather', 'shape n4', 'd'), op('Unsqueeze', 'd l0', 'sizes')], 'index 4'],
    ['a loop', [op('Loop', 'n1', 'sizes')], 'a loop'],
  ] as const)('%s is refused with its reason', (_name, nodes, reason) => {
    const model = sized({ ...scalars, ...lists, huge: int64s([1e12], []), hugel: int64s([1e12]) }, nodes);
    expect(() => imported(model)).toThrow(reason);
  });
});
