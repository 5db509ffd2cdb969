/** Uses of elementwise ops, comparisons, reductions and activations. */
import { add, div, mul } from '../emit.js';
import * as activations from '../emit/activations.js';
import * as ops from '../emit/elementwise.js';
import * as reductions from '../emit/reductions.js';
import type { Emit, Value } from '../op.js';
import { broadcast, paired, positive, shaped, unary, type Range } from './forms.js';
import type { Sample } from './sample.js';

const plain = (op: string, range?: Range): Sample => unary(op, 'over a batch', (e, x) => e.apply(op, [x]), range);

const pair = (op: string, name: string, make: (e: Emit, a: Value, b: Value) => Value): Sample =>
  paired(op, name, [['batch', 3], [3]], make);

const wide: Range = [-5, 5];
const zero = (e: Emit): Value => e.scalar(0);
const whole = (e: Emit, x: Value): Value => ops.cast(e, mul(e, x, e.scalar(2)), 'int64');
const number = (e: Emit, x: Value): Value => ops.cast(e, x, 'float32');

const elementwise: readonly Sample[] = [
  plain('abs'),
  plain('erf', [-2, 2]),
  plain('sin', wide),
  plain('cos', wide),
  plain('tan'),
  plain('asin', [-0.9, 0.9]),
  plain('acos', [-0.9, 0.9]),
  plain('atan', wide),
  plain('sinh', [-2, 2]),
  plain('cosh', [-2, 2]),
  plain('asinh', wide),
  plain('acosh', [1.2, 4]),
  plain('atanh', [-0.9, 0.9]),
  unary('sign', 'times a value', (e, x) => mul(e, x, ops.sign(e, x))),
  unary('floor', 'times a value', (e, x) => mul(e, x, ops.floor(e, x)), wide),
  unary('floor', 'as ceil', (e, x) => mul(e, x, ops.ceil(e, x)), wide),
  unary('floor', 'as trunc', (e, x) => mul(e, x, ops.trunc(e, x)), wide),
  unary('round', 'times a value', (e, x) => mul(e, x, ops.round(e, x)), wide),
  unary('clip', 'two bounds', (e, x) => ops.clip(e, x, { low: -0.5, high: 0.3 })),
  unary('clip', 'from below', (e, x) => ops.clip(e, x, { low: 0.1 })),
  unary('clip', 'from above', (e, x) => ops.clip(e, x, { high: -0.1 })),
  ...broadcast('max', ops.max),
  ...broadcast('min', ops.min),
  ...broadcast('power', ops.power, positive),
  // Divisors between 0.7 and 1.7 on average jump nowhere near the numbers drawn.
  ...broadcast('fmod', (e, a, b) => ops.fmod(e, mul(e, a, e.scalar(5)), b), positive),
  pair('fmod', 'rounded down', (e, a, b) => ops.floorMod(e, mul(e, a, e.scalar(5)), b)),
  unary(
    'quotient',
    'of whole numbers',
    (e, x) => mul(e, x, number(e, div(e, whole(e, x), e.constant([3], Float64Array.of(2, -2, 3), 'int64')))),
    wide,
  ),
  unary(
    'fmod',
    'of whole numbers',
    (e, x) => mul(e, x, number(e, ops.floorMod(e, whole(e, x), e.constant([3], Float64Array.of(2, -3, 5), 'int64')))),
    wide,
  ),
  unary(
    'abs',
    'arithmetic of whole numbers',
    (e, x) => {
      const n = whole(e, x);
      const small = ops.min(e, ops.max(e, ops.abs(e, n), mul(e, n, n)), e.constant([], Float64Array.of(7), 'int64'));
      return mul(e, x, number(e, ops.where(e, ops.less(e, n, small), add(e, n, small), ops.sign(e, n))));
    },
    wide,
  ),
  unary('cast', 'to whole numbers and back', (e, x) => mul(e, x, number(e, ops.cast(e, x, 'int64'))), wide),
  unary('cast', 'to a truth value and back', (e, x) => mul(e, x, number(e, ops.cast(e, x, 'bool'))), wide),
  ...broadcast('less', (e, a, b) => ops.where(e, ops.less(e, a, b), mul(e, a, b), b)),
  ...broadcast('lessOrEqual', (e, a, b) => ops.where(e, ops.greaterOrEqual(e, a, b), mul(e, a, b), a)),
  ...broadcast('equal', (e, a, b) => ops.where(e, ops.equal(e, a, b), a, mul(e, a, b))),
  unary('equal', 'as what is infinite or no number', (e, x) =>
    ops.where(e, ops.or(e, ops.isNaN(e, x), ops.isInf(e, x)), zero(e), mul(e, x, x)),
  ),
  pair('and', 'of comparisons', (e, a, b) =>
    ops.where(e, ops.and(e, ops.less(e, a, b), ops.less(e, zero(e), b)), mul(e, a, b), b),
  ),
  pair('or', 'of comparisons', (e, a, b) => ops.where(e, ops.or(e, ops.less(e, a, b), ops.less(e, zero(e), b)), mul(e, a, b), b)),
  pair('not', 'of either, not both', (e, a, b) =>
    ops.where(e, ops.xor(e, ops.less(e, a, b), ops.less(e, zero(e), b)), mul(e, a, b), b),
  ),
  ...broadcast('where', (e, a, b) => ops.where(e, ops.less(e, a, b), mul(e, a, a), b)),
  pair('where', 'a condition that is known', (e, a, b) =>
    ops.where(e, e.constant([3], Float64Array.of(1, 0, 1), 'bool'), mul(e, a, a), b),
  ),
];

const activationSamples: readonly Sample[] = [
  plain('softplus', wide),
  unary('leakyRelu', 'over a batch', (e, x) => activations.leakyRelu(e, x, 0.1)),
  unary('elu', 'over a batch', (e, x) => activations.elu(e, x, 0.7), wide),
  unary('elu', 'as celu', (e, x) => activations.celu(e, x, 0.7), wide),
  unary('elu', 'as selu', (e, x) => activations.selu(e, x, 1.67, 1.05), wide),
  plain('hardSwish', wide),
  unary('erf', 'as gelu', activations.gelu, wide),
  unary('tanh', 'as gelu', activations.geluTanh, wide),
  unary('sigmoid', 'as silu', (e, x) => activations.silu(e, x), wide),
  unary('softplus', 'as mish', activations.mish, wide),
  unary('abs', 'as softsign', activations.softsign, wide),
  unary('clip', 'as hard sigmoid', (e, x) => activations.hardSigmoid(e, x, 0.2, 0.5), wide),
  unary('where', 'as thresholded relu', (e, x) => activations.thresholdedRelu(e, x, 0.4)),
  unary('where', 'as shrink', (e, x) => activations.shrink(e, x, 0.4, 0.3)),
  pair('where', 'as prelu', activations.prelu),
];

const reductionSamples: readonly Sample[] = [
  shaped('reduceMax', 'over the batch', ['batch', 3], (e, x) => reductions.reduceMax(e, x, [0])),
  shaped('reduceMax', 'over two axes, kept', ['batch', 3, 2], (e, x) => reductions.reduceMax(e, mul(e, x, x), [0, 2], true)),
  shaped('reduceMax', 'as the least', ['batch', 3, 2], (e, x) => reductions.reduceMin(e, mul(e, x, x), [1])),
  shaped('reduceLogSumExp', 'inner axis', ['batch', 3, 2], (e, x) => reductions.reduceLogSumExp(e, x, [1]), wide),
  shaped('reduceLogSumExp', 'over all, kept', ['batch', 3], (e, x) => reductions.reduceLogSumExp(e, x, [0, 1], true), wide),
  shaped('reduceProd', 'last axis', ['batch', 3], (e, x) => reductions.reduceProd(e, x, [1])),
  shaped('reduceProd', 'two axes', ['batch', 3, 2], (e, x) => reductions.reduceProd(e, x, [1, 2], true)),
  shaped('reduceProd', 'with zeros', ['batch', 4], (e, x) =>
    reductions.reduceProd(e, mul(e, x, e.constant([4], Float64Array.of(0, 1, 2, 3))), [1]),
  ),
  shaped('abs', 'as the sum of sizes', ['batch', 3, 2], (e, x) => reductions.reduceL1(e, x, [2])),
  shaped('sqrt', 'as the length', ['batch', 3, 2], (e, x) => reductions.reduceL2(e, x, [1, 2])),
  shaped('log', 'of a sum', ['batch', 3], (e, x) => reductions.reduceLogSum(e, x, [1]), positive),
  shaped('argMax', 'times a value', ['batch', 3], (e, x) => mul(e, x, number(e, reductions.argMax(e, x, 1, true)))),
];

export const elementwiseSamples: readonly Sample[] = [...elementwise, ...activationSamples, ...reductionSamples];
