/** Uses of every op that the tests differentiate and run. An op without a sample fails the test of the registry. */
import * as ops from '../emit.js';
import type { Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';
import type { Sample } from './sample.js';
import { convolutionSamples } from './convolution.js';
import { elementwiseSamples } from './elementwise.js';
import { shapeSamples } from './shape.js';

const first = (inputs: readonly Value[]): Value => {
  const [value] = inputs;
  if (value === undefined) throw new Error('A sample without inputs');
  return value;
};

const unary = (op: string, make: (e: Emit, x: Value) => Value, range?: readonly [number, number]): Sample => ({
  op,
  case: 'over a batch',
  inputs: [['batch', 3]],
  make: (e, inputs) => make(e, first(inputs)),
  ...(range && { range }),
});

function binary(op: string, range?: readonly [number, number]): Sample[] {
  const shapes: readonly (readonly [string, readonly Shape[]])[] = [
    [
      'same shapes',
      [
        ['batch', 3],
        ['batch', 3],
      ],
    ],
    ['a row', [['batch', 3], [3]]],
    ['a number', [[], ['batch', 3]]],
    [
      'both stretched',
      [
        ['batch', 1],
        [1, 3],
      ],
    ],
    [
      'without a batch',
      [
        [2, 1, 3],
        [4, 1],
      ],
    ],
  ];
  return shapes.map(([name, inputs]) => ({
    op,
    case: name,
    inputs,
    make: (e, values) => e.apply(op, values),
    ...(range && { range }),
  }));
}

const matmul = (name: string, a: Shape, b: Shape, options: ops.MatmulOptions = {}): Sample => ({
  op: 'matmul',
  case: name,
  inputs: [a, b],
  make: (e, [x, y]) => ops.matmul(e, x!, y!, options),
});

const shaped = (op: string, name: string, shape: Shape, make: (e: Emit, x: Value) => Value): Sample => ({
  op,
  case: name,
  inputs: [shape],
  make: (e, inputs) => make(e, first(inputs)),
});

const positive = [0.3, 2] as const;

export const samples: readonly Sample[] = [
  ...binary('add'),
  ...binary('sub'),
  ...binary('mul'),
  ...binary('div', positive),
  unary('neg', ops.neg),
  unary('exp', ops.exp),
  unary('log', ops.log, positive),
  unary('sqrt', ops.sqrt, positive),
  unary('tanh', ops.tanh),
  unary('sigmoid', ops.sigmoid),
  unary('relu', ops.relu),
  unary('step', ops.step),
  unary('pow', (e, x) => ops.pow(e, x, 3)),
  { ...unary('pow', (e, x) => ops.pow(e, x, -1.5), positive), case: 'a negative exponent' },
  shaped('softmax', 'last axis', ['batch', 4], (e, x) => ops.softmax(e, x, 1)),
  shaped('softmax', 'inner axis', ['batch', 3, 2], (e, x) => ops.softmax(e, x, 1)),
  shaped('logSoftmax', 'last axis', ['batch', 4], (e, x) => ops.logSoftmax(e, x, 1)),
  shaped('logSoftmax', 'inner axis', ['batch', 3, 2], (e, x) => ops.logSoftmax(e, x, 1)),
  shaped('reduceSum', 'over the batch', ['batch', 3], (e, x) => ops.reduceSum(e, x, [0])),
  shaped('reduceSum', 'over all', ['batch', 3], (e, x) => ops.reduceSum(e, x, [0, 1])),
  shaped('reduceSum', 'keeping axes', ['batch', 3, 2], (e, x) => ops.reduceSum(e, x, [1], true)),
  shaped('reduceSum', 'a mean over the batch', ['batch', 3], (e, x) => ops.reduceMean(e, x, [0])),
  shaped('reshape', 'flatten', ['batch', 2, 3], (e, x) => ops.reshape(e, x, ['batch', 6])),
  shaped('transpose', 'three axes', ['batch', 2, 3], (e, x) => ops.transpose(e, x, [2, 0, 1])),
  shaped('expand', 'to a batch', [1, 3], (e, x) => ops.expand(e, x, ['batch', 3])),
  shaped('expand', 'with a new axis', ['batch', 1, 2], (e, x) => ops.expand(e, x, [2, 'batch', 3, 2])),
  shaped('batchSize', 'times a value', ['batch', 2], (e, x) => ops.mul(e, x, ops.batchSize(e))),
  matmul('plain', ['batch', 3], [3, 2]),
  matmul('transA', [3, 'batch'], [3, 2], { transA: true }),
  matmul('transB', ['batch', 3], [2, 3], { transB: true }),
  matmul('both', [3, 'batch'], [2, 3], { transA: true, transB: true }),
  matmul('over the batch', ['batch', 3], ['batch', 2], { transA: true }),
  matmul('stacked', ['batch', 2, 3], ['batch', 3, 2]),
  matmul('stacked by a matrix', ['batch', 2, 3], [4, 3], { transB: true }),
  matmul('a matrix by a stack', [2, 3], ['batch', 2, 4], { transA: true }),
  ...shapeSamples,
  ...elementwiseSamples,
  ...convolutionSamples,
];
