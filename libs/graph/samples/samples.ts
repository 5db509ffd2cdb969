/** Uses of every op that the tests differentiate and run. An op without a sample fails the test of the registry. */
import * as ops from '../emit.js';
import type { Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';
import type { Sample } from './sample.js';
import { convolutionSamples } from './convolution.js';
import { elementwiseSamples } from './elementwise.js';
import { broadcast, paired, positive, shaped, unary, type Range } from './forms.js';
import { shapeSamples } from './shape.js';

const arithmetic = (op: string, range?: Range): Sample[] => {
  const make = (e: Emit, a: Value, b: Value): Value => e.apply(op, [a, b]);
  return [
    ...broadcast(op, make, range),
    paired(
      op,
      'without a batch',
      [
        [2, 1, 3],
        [4, 1],
      ],
      make,
      range,
    ),
  ];
};

const matmul = (name: string, a: Shape, b: Shape, options: ops.MatmulOptions = {}): Sample =>
  paired('matmul', name, [a, b], (e, x, y) => ops.matmul(e, x, y, options));

export const samples: readonly Sample[] = [
  ...arithmetic('add'),
  ...arithmetic('sub'),
  ...arithmetic('mul'),
  ...arithmetic('div', positive),
  unary('neg', 'over a batch', ops.neg),
  unary('exp', 'over a batch', ops.exp),
  unary('log', 'over a batch', ops.log, positive),
  unary('sqrt', 'over a batch', ops.sqrt, positive),
  unary('tanh', 'over a batch', ops.tanh),
  unary('sigmoid', 'over a batch', ops.sigmoid),
  unary('relu', 'over a batch', ops.relu),
  unary('step', 'over a batch', ops.step),
  unary('pow', 'over a batch', (e, x) => ops.pow(e, x, 3)),
  unary('pow', 'a negative exponent', (e, x) => ops.pow(e, x, -1.5), positive),
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
