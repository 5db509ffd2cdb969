import * as emit from '../emit/convolution.js';
import type { ConvOptions } from '../emit/convolution.js';
import { add, mul } from '../emit.js';
import type { Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';
import type { Windows } from '../ops/windows.js';
import type { Sample } from './sample.js';

const options = (rank: number, given: Partial<ConvOptions> = {}): ConvOptions => ({
  strides: Array.from({ length: rank }, () => 1),
  pads: Array.from({ length: 2 * rank }, () => 0),
  dilations: Array.from({ length: rank }, () => 1),
  groups: 1,
  ...given,
});

interface Case {
  readonly name: string;
  readonly x: Shape;
  readonly kernel: readonly number[];
  readonly given?: Partial<ConvOptions>;
}

const cases: readonly Case[] = [
  { name: 'plain', x: ['batch', 2, 4, 3], kernel: [3, 2, 2, 2] },
  { name: 'padded on all sides', x: ['batch', 2, 3, 3], kernel: [2, 2, 3, 3], given: { pads: [1, 1, 1, 1] } },
  { name: 'padded unevenly', x: ['batch', 1, 3, 4], kernel: [2, 1, 3, 2], given: { pads: [2, 0, 0, 1] } },
  {
    name: 'with strides that leave a rest',
    x: ['batch', 2, 6, 5],
    kernel: [2, 2, 3, 2],
    given: { strides: [2, 2], pads: [0, 1, 1, 0] },
  },
  { name: 'dilated', x: ['batch', 1, 5, 6], kernel: [2, 1, 2, 3], given: { dilations: [2, 2], pads: [0, 1, 0, 1] } },
  {
    name: 'dilated with strides',
    x: ['batch', 1, 6, 5],
    kernel: [2, 1, 2, 2],
    given: { dilations: [3, 2], strides: [2, 3], pads: [1, 1, 1, 1] },
  },
  { name: 'in groups', x: ['batch', 4, 3, 3], kernel: [6, 2, 2, 2], given: { groups: 2, pads: [1, 0, 0, 1] } },
  { name: 'depthwise', x: ['batch', 3, 3, 4], kernel: [3, 1, 3, 3], given: { groups: 3, pads: [1, 1, 1, 1] } },
  {
    name: 'depthwise with strides',
    x: ['batch', 2, 5, 4],
    kernel: [4, 1, 3, 3],
    given: { groups: 2, strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { name: 'one by one', x: ['batch', 3, 2, 2], kernel: [2, 3, 1, 1] },
  { name: 'one by one with strides', x: ['batch', 2, 3, 3], kernel: [2, 2, 1, 1], given: { strides: [2, 2] } },
  { name: 'over one axis', x: ['batch', 2, 6], kernel: [3, 2, 3], given: { strides: [2], pads: [1, 1] } },
  { name: 'over three axes', x: ['batch', 1, 3, 2, 2], kernel: [2, 1, 2, 2, 1], given: { pads: [0, 1, 0, 1, 0, 0] } },
];

/** What a convolution with these sizes gives. */
const resultOf = ({ x, kernel, given }: Case): number[] => {
  const rank = kernel.length - 2;
  const { strides, pads, dilations } = options(rank, given);
  return x.slice(2).map((size, axis) => {
    const reach = (kernel[axis + 2]! - 1) * dilations[axis]! + 1;
    return Math.floor((Number(size) + pads[axis]! + pads[axis + rank]! - reach) / strides[axis]!) + 1;
  });
};

function triple(each: Case): Sample[] {
  const { name, x, kernel, given } = each;
  const all = options(kernel.length - 2, given);
  const y: Shape = ['batch', kernel[0]!, ...resultOf(each)];
  const sample = (op: string, inputs: readonly Shape[], make: (e: Emit, a: Value, b: Value) => Value): Sample => ({
    op,
    case: name,
    inputs,
    make: (e, [a, b]) => make(e, a!, b!),
  });
  return [
    sample('conv', [x, kernel], (e, a, b) => emit.conv(e, a, b, all)),
    sample('convInputGradient', [y, kernel], (e, a, b) => emit.convInputGradient(e, a, b, x.slice(2) as number[], all)),
    sample('convWeightGradient', [x, y], (e, a, b) => emit.convWeightGradient(e, a, b, kernel.slice(2), all)),
  ];
}

interface PoolCase extends Windows {
  readonly name: string;
  readonly size: readonly number[];
}

const pools: readonly PoolCase[] = [
  { name: 'tiles', size: [4, 6], kernel: [2, 3], strides: [2, 3], pads: [0, 0, 0, 0], dilations: [1, 1] },
  { name: 'overlapping', size: [5, 4], kernel: [3, 2], strides: [2, 1], pads: [1, 1, 0, 0], dilations: [1, 1] },
  { name: 'with a rest', size: [5, 4], kernel: [2, 2], strides: [2, 3], pads: [0, 0, 1, 1], dilations: [1, 1] },
  { name: 'dilated', size: [5, 4], kernel: [2, 2], strides: [1, 1], pads: [1, 0, 0, 1], dilations: [2, 3] },
  { name: 'whole', size: [2, 3], kernel: [2, 3], strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1] },
  { name: 'over one axis', size: [7], kernel: [3], strides: [2], pads: [1, 1], dilations: [1] },
];

const pool = (op: string, { name, size }: PoolCase, make: (e: Emit, x: Value) => Value): Sample => ({
  op,
  case: name,
  inputs: [['batch', 2, ...size]],
  make: (e, [x]) => make(e, x!),
});

/** Where the adjoint is an op of its own, seen through a sum that keeps the pooling itself as well. */
const pooling = (windows: PoolCase): Sample[] => [
  pool('maxPool', windows, (e, x) => emit.maxPool(e, x, windows)),
  // A place as a number, so that there is something to derive.
  pool('maxPoolIndex', windows, (e, x) => {
    const place = e.apply('cast', [emit.maxPoolIndex(e, x, windows)], { to: 'float32' });
    return mul(e, emit.maxPool(e, x, windows), place);
  }),
];

/** 2x² in two ways. */
const standIn: Sample = {
  op: 'standIn',
  case: 'two ways to compute the same',
  inputs: [['batch', 3]],
  make: (e, [x]) => emit.standIn(e, mul(e, mul(e, x!, x!), e.scalar(2)), mul(e, x!, add(e, x!, x!))),
};

export const convolutionSamples: readonly Sample[] = [
  standIn,
  ...cases.flatMap(triple),
  ...pools.flatMap(pooling),
  ...pools
    .filter(({ name }) => name !== 'whole')
    .map((windows) => pool('averagePool', windows, (e, x) => emit.averagePool(e, x, windows))),
  ...pools
    .filter(({ name }) => !['whole', 'tiles'].includes(name))
    .map((windows) =>
      pool('averagePoolGradient', windows, (e, x) =>
        emit.averagePoolGradient(e, emit.averagePool(e, x, windows), windows.size, windows),
      ),
    ),
];
