/** Values, gradients and Hessian-vector products against those of PyTorch, in double precision, edge values included. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../builder.js';
import { forward, reverse } from '../differentiate.js';
import { log, mul, neg, pow, reduceSum, relu, sqrt } from '../emit.js';
import * as activations from '../emit/activations.js';
import * as ops from '../emit/elementwise.js';
import * as reductions from '../emit/reductions.js';
import type { Graph } from '../graph.js';
import { at } from '../op.js';
import type { Emit, Value } from '../op.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import type { ReferenceValues } from '../run-reference.js';
import { runOrt } from '../testing/ort.js';

type Written = readonly (number | string)[];
interface Case {
  readonly name: string;
  readonly edge: boolean;
  readonly inputs: readonly { readonly shape: readonly number[]; readonly data: Written }[];
  readonly output: Written;
  readonly weights: Written;
  readonly gradients: readonly Written[];
  readonly vectors: readonly Written[];
  readonly products: readonly Written[] | null;
}

/** PyTorch's own numbers (test/golden/elementwise/make.py). */
const cases = JSON.parse(
  readFileSync(new URL('../../../test/golden/elementwise/elementwise.json', import.meta.url), 'utf8'),
) as Case[];

const number = (x: number | string): number => (typeof x === 'number' ? x : Number(x.replace('inf', 'Infinity')));
const numbers = (list: Written): number[] => list.map(number);

type Make = (e: Emit, x: Value, y: Value) => Value;
const plain =
  (op: string): Make =>
  (e, x) =>
    e.apply(op, [x]);
const opNames = [
  'abs',
  'erf',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'asinh',
  'acosh',
  'atanh',
  'floor',
  'round',
];
const choice = (e: Emit): Value => e.constant([4], Float64Array.of(1, 0, 1, 0), 'bool');

const functions: Readonly<Record<string, Make>> = {
  ...Object.fromEntries(opNames.map((name) => [name, plain(name)])),
  relu,
  leakyRelu: (e, x) => activations.leakyRelu(e, x, 0.1),
  elu: (e, x) => activations.elu(e, x, 0.7),
  selu: (e, x) => activations.selu(e, x, 1.6732632423543772, 1.0507009873554805),
  celu: (e, x) => activations.celu(e, x, 0.5),
  gelu: activations.gelu,
  geluTanh: activations.geluTanh,
  silu: (e, x) => activations.silu(e, x),
  mish: activations.mish,
  softplus: activations.softplus,
  softsign: activations.softsign,
  hardSwish: activations.hardSwish,
  hardSigmoid: (e, x) => activations.hardSigmoid(e, x, 1 / 6, 0.5),
  hardtanh: (e, x) => ops.clip(e, x, { low: -1, high: 1 }),
  relu6: (e, x) => ops.clip(e, x, { low: 0, high: 6 }),
  clampBelow: (e, x) => ops.clip(e, x, { low: -1 }),
  clampAbove: (e, x) => ops.clip(e, x, { high: 1 }),
  threshold: (e, x) => activations.thresholdedRelu(e, x, 1),
  softshrink: (e, x) => activations.shrink(e, x, 0.5, 0.5),
  hardshrink: (e, x) => activations.shrink(e, x, 0.5, 0),
  logSigmoid: (e, x) => neg(e, activations.softplus(e, neg(e, x))),
  sqrt,
  log,
  cube: (e, x) => pow(e, x, 3),
  'power3/2': (e, x) => pow(e, x, 1.5),
  power0: (e, x) => pow(e, x, 0),
  ceil: ops.ceil,
  trunc: ops.trunc,
  sqrtOfClamped: (e, x) => sqrt(e, ops.clip(e, x, { low: 0 })),
  sqrtOfPositive: (e, x) => sqrt(e, relu(e, x)),
  acosOfClamped: (e, x) => e.apply('acos', [ops.clip(e, x, { low: -1, high: 1 })]),
  logWherePositive: (e, x) =>
    ops.where(e, ops.less(e, e.scalar(0), x), log(e, ops.clip(e, x, { low: 1e-3 })), mul(e, x, e.scalar(0))),
  maximum: ops.max,
  minimum: ops.min,
  pow: ops.power,
  wholePower: (e, x) => ops.power(e, x, e.constant([5], Float64Array.of(3, 2, 1, 0, -2))),
  fmod: ops.fmod,
  remainder: ops.floorMod,
  prelu: activations.prelu,
  whereRoots: (e, x, y) => ops.where(e, choice(e), sqrt(e, x), log(e, y)),
  where: (e, x, y) => ops.where(e, choice(e), mul(e, x, x), y),
  amax: (e, x) => reductions.reduceMax(e, x, [1]),
  amin: (e, x) => reductions.reduceMin(e, x, [1]),
  prod: (e, x) => reductions.reduceProd(e, x, [1]),
  logsumexp: (e, x) => reductions.reduceLogSumExp(e, x, [1]),
  norm1: (e, x) => reductions.reduceL1(e, x, [1]),
  norm2: (e, x) => reductions.reduceL2(e, x, [1]),
};

/** The output, the gradient of Σ weights ⊙ output and the change of that gradient along the vectors. */
function graphOf({ name, inputs, weights }: Case): Graph {
  const builder = new GraphBuilder();
  const make = functions[name.replace(' of one', '')];
  if (make === undefined) throw new Error(`Nobody knows '${name}'`);
  const declare = (role: 'data' | 'vector', prefix: string): Value[] =>
    inputs.map(({ shape }, i) => builder.input({ name: `${prefix}${i}`, role, dtype: 'float32', shape }));
  const [values, moves] = [declare('data', 'x'), declare('vector', 'v')];
  const output = make(builder, at(values, 0), values[1] ?? at(values, 0));
  const weighted = mul(builder, output, builder.constant(output.shape.map(Number), Float64Array.from(numbers(weights))));
  const total = reduceSum(
    builder,
    weighted,
    output.shape.map((_, axis) => axis),
  );
  const zero = (value: Value): Value => builder.filled(value.shape, 0);
  const gradients = reverse(builder, total, values).map((g, i) => g ?? zero(at(values, i)));
  const products = forward(builder, gradients, new Map(values.map((value, i) => [value, at(moves, i)])));
  return builder.build([
    { name: 'output', value: output },
    ...gradients.map((value, i) => ({ name: `gradient${i}`, value })),
    ...products.map((value, i) => ({ name: `product${i}`, value: value ?? zero(at(values, i)) })),
  ]);
}

/** Each number by itself: an infinite one must not excuse the others. */
function wrong(what: string, actual: ArrayLike<number> | undefined, expected: Written, tolerance: number): string[] {
  return numbers(expected).flatMap((x, i) => {
    const a = actual?.[i] ?? Number.NaN;
    const scale = Number.isFinite(x) ? Math.max(1, Math.abs(x)) : 0;
    return Object.is(a, x) || Math.abs(a - x) <= tolerance * scale ? [] : [`${what} [${i}] ${a} for ${x}`];
  });
}

function tensorsOf({ inputs, vectors }: Case): ReferenceValues {
  const tensor = (data: Written, i: number): ReferenceTensor => referenceTensor(at(inputs, i).shape, numbers(data));
  return Object.fromEntries([
    ...inputs.map(({ data }, i) => [`x${i}`, tensor(data, i)] as const),
    ...vectors.map((data, i) => [`v${i}`, tensor(data, i)] as const),
  ]);
}

type Results = Readonly<Record<string, ArrayLike<number>>>;

const wrongIn = (results: Results, { output, gradients, products }: Case, tolerance: number): string[] => [
  ...wrong('output', results['output'], output, tolerance),
  ...gradients.flatMap((g, i) => wrong(`gradient ${i}`, results[`gradient${i}`], g, tolerance)),
  ...(products ?? []).flatMap((h, i) => wrong(`product ${i}`, results[`product${i}`], h, tolerance)),
];

describe('elementwise functions and reductions are those of PyTorch', () => {
  const named = cases.map((each) => [`${each.name}${each.edge ? ' at the edges' : ''}`, each] as const);

  it.each(named)('%s', (_, each) => {
    const results = runReference(graphOf(each), tensorsOf(each));
    const data = Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, tensor.data]));
    expect(wrongIn(data, each, 1e-11)).toEqual([]);
  });

  it.each(named)('%s in single precision, on ONNX Runtime', async (_, each) => {
    expect(wrongIn(await runOrt(graphOf(each), tensorsOf(each)), each, 1e-5)).toEqual([]);
  });

  it('every function of the fixture is here, and the other way round', () => {
    const written = new Set(cases.map(({ name }) => name.replace(' of one', '')));
    expect(Object.keys(functions).filter((name) => !written.has(name))).toEqual([]);
  });
});
