/** Uses of the ops that cut, join and pick. */
import * as emit from '../emit.js';
import * as ops from '../emit/shape.js';
import type { Shape } from '../graph.js';
import type { Emit, Value } from '../op.js';
import type { Sample } from './sample.js';

type Make = (e: Emit, x: Value, ...others: Value[]) => Value;

const sample = (op: string, name: string, inputs: Shape | readonly Shape[], make: Make): Sample => ({
  op,
  case: name,
  inputs: Array.isArray(inputs[0]) ? (inputs as readonly Shape[]) : [inputs as Shape],
  make: (e, [x, ...others]) => make(e, x!, ...others),
});

const wholes = (e: Emit, shape: readonly number[], values: readonly number[]): Value =>
  e.constant(shape, Float64Array.from(values), 'int64');

/** Indices of each example that are counted when the graph runs: 0, 1, … modulo nothing, so the batch must be at most `size`. */
const exampleColumn = (e: Emit): Value => emit.reshape(e, ops.countingTo(e, 'batch'), ['batch', 1]);

const cut = (starts: readonly number[], sizes: Shape, steps: readonly number[]): ops.Cut => ({ starts, sizes, steps });

export const shapeSamples: readonly Sample[] = [
  sample(
    'concat',
    'two along the last axis',
    [
      ['batch', 2],
      ['batch', 3],
    ],
    (e, a, b) => ops.concat(e, [a, b], 1),
  ),
  sample(
    'concat',
    'an inner axis, one of them twice',
    [
      ['batch', 2, 2],
      ['batch', 1, 2],
    ],
    (e, a, b) => ops.concat(e, [a, b, a], 1),
  ),
  sample('concat', 'without a batch', [[2], [3]], (e, a, b) => ops.concat(e, [a, b], 0)),
  sample('slice', 'a part', ['batch', 5], (e, x) => ops.sliceAlong(e, x, 1, 1, 3)),
  sample('slice', 'every second', ['batch', 5, 2], (e, x) => ops.sliceAlong(e, x, 1, 0, 3, 2)),
  sample('slice', 'backwards', ['batch', 4], (e, x) => ops.sliceAlong(e, x, 1, 3, 4, -1)),
  sample('slice', 'backwards in threes, and a part', ['batch', 8, 3], (e, x) =>
    ops.slice(e, x, cut([0, 7, 1], ['batch', 3, 2], [1, -3, 1])),
  ),
  sample('slice', 'one element', [4, 3], (e, x) => ops.slice(e, x, cut([2, 1], [1, 1], [1, 1]))),
  sample('slice', 'behind a merged axis', ['batch*2', 3], (e, x) => ops.sliceAlong(e, x, 1, 0, 2)),
  sample('unslice', 'zeros around', ['batch', 2, 1], (e, x) => ops.unslice(e, x, ['batch', 4, 3], cut([0, 1, 2], [], [1, 1, 1]))),
  sample('unslice', 'zeros between', ['batch', 3], (e, x) => ops.unslice(e, x, ['batch', 8], cut([0, 1], [], [1, 3]))),
  sample('unslice', 'backwards', ['batch', 2, 2], (e, x) => ops.unslice(e, x, ['batch', 5, 2], cut([0, 3, 1], [], [1, -2, -1]))),
  sample('gather', 'rows of a table', [4, 3], (e, x) => ops.gather(e, x, wholes(e, [2, 3], [0, 3, 3, 1, -1, 0]), 0)),
  sample('gather', 'along an inner axis', ['batch', 3, 2], (e, x) => ops.gather(e, x, wholes(e, [4], [2, 2, 0, 1]), 1)),
  sample('gather', 'one place after another of a table', [5, 2], (e, x) => ops.gather(e, x, ops.countingTo(e, 'batch'), 0)),
  sample('gather', 'no place', ['batch', 3], (e, x) => ops.gather(e, x, wholes(e, [0], []), 1)),
  sample('scatterAdd', 'rows of a table', [2, 2, 3], (e, x) => ops.scatterAdd(e, x, wholes(e, [2, 2], [0, 3, 3, -1]), 0, 4)),
  sample('scatterAdd', 'along an inner axis', ['batch', 3, 2], (e, x) => ops.scatterAdd(e, x, wholes(e, [3], [1, 1, 0]), 1, 4)),
  sample('scatterAdd', 'to the places of the examples', ['batch', 2], (e, x) =>
    ops.scatterAdd(e, x, ops.countingTo(e, 'batch'), 0, 'batch'),
  ),
  sample('gatherElements', 'known indices', [3, 4], (e, x) =>
    ops.gatherElements(e, x, wholes(e, [2, 4], [0, 2, 2, 1, 0, -1, 0, 0]), 0),
  ),
  sample('gatherElements', 'one of each example', ['batch', 5], (e, x) => ops.gatherElements(e, x, exampleColumn(e), 1)),
  sample('scatterElementsAdd', 'known indices', [2, 3], (e, x) =>
    ops.scatterElementsAdd(e, x, wholes(e, [2, 3], [0, 3, 0, 1, 1, -1]), 1, [2, 4]),
  ),
  sample('scatterElementsAdd', 'one of each example', ['batch', 1], (e, x) =>
    ops.scatterElementsAdd(e, x, exampleColumn(e), 1, ['batch', 5]),
  ),
  sample('oneHot', 'of the examples, with one outside', ['batch', 2], (e, x) =>
    emit.mul(e, x, ops.oneHot(e, ops.countingTo(e, 'batch'), 2)),
  ),
  sample('counting', 'the examples, as rows', ['batch', 5], (e, x) =>
    emit.mul(e, x, ops.oneHot(e, ops.countingTo(e, 'batch'), 5)),
  ),
  sample('cumsum', 'along the last axis', ['batch', 4], (e, x) => ops.cumsum(e, x, 1)),
  sample('cumsum', 'exclusive', ['batch', 3, 2], (e, x) => ops.cumsum(e, x, 1, { exclusive: true })),
  sample('cumsum', 'from the end, exclusive', ['batch', 4], (e, x) => ops.cumsum(e, x, 1, { exclusive: true, reverse: true })),
];
