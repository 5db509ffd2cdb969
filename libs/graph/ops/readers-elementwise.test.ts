/** Each ONNX operator that is read as elementwise ops, reductions or choices computes what ONNX Runtime makes of it itself. */
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from '../onnx/export.js';
import { importOnnx } from '../onnx/import.js';
import { attributeType, elementType, encodeModel } from '../onnx/proto.js';
import { referenceTensor } from '../reference-tensor.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';

type Tensor = readonly [dims: readonly number[], values: readonly number[]];
type Kind = 'float' | 'int64' | 'bool';

/** An input: numbers that are fed (and cast, where `as` says so), or a constant of the file. */
interface Input {
  readonly fed?: Tensor;
  readonly as?: Kind;
  readonly constant?: Tensor;
}

interface Operator {
  readonly op: string;
  readonly case?: string;
  readonly opset?: number;
  readonly domain?: string;
  readonly inputs: readonly (Input | undefined)[];
  readonly ints?: Readonly<Record<string, number | readonly number[]>>;
  readonly floats?: Readonly<Record<string, number>>;
  readonly texts?: Readonly<Record<string, string>>;
}

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
/** Zeros of both signs, halves, bounds, a tie, infinities and NaN among plain numbers. */
const edges: Tensor = [
  [3, 6],
  [0, -0, 0.5, -0.5, 1, -1, 1.5, -1.5, 2.5, 3, -3, 0.2, inf, -inf, nan, 4.7, -6.3, 30],
];
const plain: Tensor = [
  [2, 3],
  [0.3, -1.2, 0.7, 2.1, -0.4, 0.9],
];
const small: Tensor = [
  [2, 3],
  [0.3, -0.2, 0.7, 0.99, -0.4, 0],
];
const positive: Tensor = [
  [2, 3],
  [0.3, 1.2, 0.7, 2.1, 1, 0],
];
const others: Tensor = [
  [3, 6],
  [0, 1, 0.5, -0.25, 2, -1, nan, -2, 2.5, 2, -3, 0.4, inf, -inf, 1, -4.7, 2, 3],
];
const row: Tensor = [[6], [1, -1, 0.5, 0, 3, nan]];
const wholes: Tensor = [
  [2, 4],
  [7, -7, 7, -7, 6, 0, -1, 5],
];
const divisors: Tensor = [
  [2, 4],
  [2, 2, -2, -2, 3, 5, 4, -5],
];
const truths: Tensor = [
  [2, 4],
  [0, 1, 1, 0, 1, 0, 0, 1],
];
const others4: Tensor = [
  [2, 4],
  [1, 1, 0, 0, 1, 0, 1, 0],
];
const cube: Tensor = [
  [2, 3, 2],
  [0.3, -1.2, 0.7, 2.1, 2.1, 0.9, -3, 0, 0.1, 0, 4, -0.2],
];

const fed = (tensor: Tensor, as: Kind = 'float'): Input => ({ fed: tensor, as });
const constant = (...values: readonly number[]): Input => ({ constant: [[values.length], values] });
const numberOf = (value: number): Input => ({ constant: [[], [value]] });
const axesOf = (...axes: readonly number[]): Input => ({ constant: [[axes.length], axes], as: 'int64' });
const unary = (op: string, tensor: Tensor = edges, more: Partial<Operator> = {}): Operator => ({
  op,
  inputs: [fed(tensor)],
  ...more,
});
const binary = (op: string, a: Input, b: Input, more: Partial<Operator> = {}): Operator => ({ op, inputs: [a, b], ...more });

const activations: readonly Operator[] = [
  ...['Abs', 'Neg', 'Floor', 'Ceil', 'Round', 'Erf', 'Sin', 'Cos', 'Atan', 'Asinh', 'Tanh', 'Sigmoid', 'Relu', 'Exp'].map((op) =>
    unary(op),
  ),
  ...['Tan', 'Sinh', 'Cosh', 'Sign'].map((op) => unary(op, plain)),
  ...['Asin', 'Acos', 'Atanh'].map((op) => unary(op, small)),
  unary('Acosh', [
    [1, 3],
    [1, 1.5, 4],
  ]),
  unary('Sqrt', positive),
  unary('Log', positive),
  unary('Reciprocal'),
  ...['LeakyRelu', 'Elu', 'Selu', 'HardSigmoid', 'Softplus', 'Softsign', 'ThresholdedRelu', 'Shrink', 'HardSwish'].map((op) =>
    unary(op),
  ),
  unary('Celu', edges, { opset: 12 }),
  unary('LeakyRelu', edges, { case: 'alpha', floats: { alpha: 0.3 } }),
  unary('Elu', edges, { case: 'alpha', floats: { alpha: 0.3 } }),
  unary('Selu', edges, { case: 'alpha and gamma', floats: { alpha: 0.3, gamma: 2 } }),
  unary('Celu', edges, { case: 'alpha', floats: { alpha: 0.3 } }),
  unary('HardSigmoid', edges, { case: 'alpha and beta', floats: { alpha: 1 / 6, beta: 0.4 } }),
  unary('ThresholdedRelu', edges, { case: 'alpha', floats: { alpha: 0.5 } }),
  unary('Shrink', edges, { case: 'lambd and bias', floats: { lambd: 1, bias: 0.5 } }),
  unary('Mish', plain, { opset: 18 }),
  unary('Gelu', plain, { opset: 20 }),
  unary('Gelu', plain, { opset: 20, case: 'tanh', texts: { approximate: 'tanh' } }),
  unary('Gelu', plain, { domain: 'com.microsoft', case: 'of ONNX Runtime' }),
  unary('FastGelu', plain, { domain: 'com.microsoft' }),
  binary('FastGelu', fed(plain), constant(0.1, -0.2, 0.3), { domain: 'com.microsoft', case: 'with a bias' }),
  binary('BiasGelu', fed(plain), constant(0.1, -0.2, 0.3), { domain: 'com.microsoft' }),
  unary('QuickGelu', plain, { domain: 'com.microsoft' }),
  binary('PRelu', fed(edges), constant(0.1, 0.2, -0.3, 0, 0.5, 2)),
  binary('PRelu', fed(edges), constant(0.1), { case: 'one slope' }),
  { op: 'Clip', inputs: [fed(edges), numberOf(-0.5), numberOf(1.5)] },
  { op: 'Clip', case: 'from below', inputs: [fed(plain), numberOf(-0.5)] },
  { op: 'Clip', case: 'from above', inputs: [fed(plain), undefined, numberOf(1.5)] },
  { op: 'Clip', case: 'without bounds', inputs: [fed(plain)] },
  { op: 'Clip', case: 'bounds that are computed', inputs: [fed(plain), fed([[], [-0.5]]), fed([[], [0.6]])] },
  {
    op: 'Clip',
    case: 'whole numbers',
    inputs: [fed(wholes, 'int64'), { constant: [[], [-3]], as: 'int64' }, { constant: [[], [6]], as: 'int64' }],
  },
  unary('Clip', edges, { case: 'opset 10', opset: 10, floats: { min: -0.5, max: 1.5 } }),
];

const arithmetic: readonly Operator[] = [
  ...['Add', 'Sub', 'Mul', 'Div'].flatMap((op) => [
    binary(op, fed(edges), fed(others)),
    binary(op, fed(edges), fed(row), { case: 'a row' }),
    binary(op, fed(wholes, 'int64'), fed(divisors, 'int64'), { case: 'whole numbers' }),
  ]),
  ...['Max', 'Min'].flatMap((op): Operator[] => [
    { op, inputs: [fed(edges)] },
    binary(op, fed(edges), fed(others), { case: 'two' }),
    { op, case: 'three', inputs: [fed(plain), constant(0.5, -1, 0), numberOf(-0.3)] },
    binary(op, fed(wholes, 'int64'), fed(divisors, 'int64'), { case: 'whole numbers' }),
  ]),
  { op: 'Sum', inputs: [fed(plain), constant(0.5, -1, 0), numberOf(-0.3)] },
  { op: 'Sum', case: 'one', inputs: [fed(plain)] },
  { op: 'Mean', inputs: [fed(plain), constant(0.5, -1, 0), numberOf(-0.3)] },
  ...['Abs', 'Neg', 'Sign'].map((op) => ({ op, case: 'whole numbers', inputs: [fed(wholes, 'int64')] })),
  binary('Mod', fed(wholes, 'int64'), fed(divisors, 'int64'), { case: 'whole numbers, the sign of the divisor' }),
  binary('Mod', fed(wholes, 'int64'), fed(divisors, 'int64'), {
    case: 'whole numbers, the sign of the dividend',
    ints: { fmod: 1 },
  }),
  binary(
    'Mod',
    fed([
      [1, 4],
      [5.3, -5.3, 5.3, -5.3],
    ]),
    constant(3, 3, -3, -3),
    { case: 'numbers', ints: { fmod: 1 } },
  ),
  binary(
    'Pow',
    fed([
      [2, 4],
      [0, 2, -2, 1, 3, 0, 4, -1],
    ]),
    fed([
      [2, 4],
      [0, 0.5, 3, nan, -1, 2, 1.5, -2],
    ]),
  ),
  binary('Pow', fed(plain), numberOf(3), { case: 'a known exponent' }),
  binary('Pow', fed(plain), { constant: [[3], [2, 3, 0]], as: 'int64' }, { case: 'whole exponents' }),
  binary('Pow', fed([[3], [1, -2, 3]]), { constant: [[1, 1], [2]] }, { case: 'an exponent with more axes' }),
];

const comparisons: readonly Operator[] = [
  ...['Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Equal'].flatMap((op) => [
    binary(op, fed(edges), fed(others)),
    binary(op, fed(edges), fed(row), { case: 'a row' }),
    binary(op, fed(wholes, 'int64'), fed(divisors, 'int64'), { case: 'whole numbers' }),
  ]),
  ...['And', 'Or', 'Xor', 'Equal'].map((op) => binary(op, fed(truths, 'bool'), fed(others4, 'bool'), { case: 'truth values' })),
  { op: 'Not', inputs: [fed(truths, 'bool')] },
  unary('IsNaN'),
  unary('IsInf'),
  unary('IsInf', edges, { case: 'positive', ints: { detect_negative: 0 } }),
  unary('IsInf', edges, { case: 'negative', ints: { detect_positive: 0 } }),
  unary('IsInf', edges, { case: 'neither', ints: { detect_positive: 0, detect_negative: 0 } }),
  { op: 'Where', inputs: [fed(truths, 'bool'), fed(wholes), fed(divisors)] },
  {
    op: 'Where',
    case: 'whole numbers and a number',
    inputs: [fed(truths, 'bool'), fed(wholes, 'int64'), { constant: [[], [9]], as: 'int64' }],
  },
  { op: 'Where', case: 'stretched', inputs: [fed(truths, 'bool'), constant(1, 2, 3, 4), numberOf(inf)] },
  unary('Cast', plain, { case: 'to whole numbers', ints: { to: elementType.int64 } }),
  unary('Cast', edges, { case: 'to truth values', ints: { to: elementType.bool } }),
  { op: 'Cast', case: 'whole numbers to numbers', inputs: [fed(wholes, 'int64')], ints: { to: elementType.float } },
  { op: 'Cast', case: 'truth values to whole numbers', inputs: [fed(truths, 'bool')], ints: { to: elementType.int64 } },
  { op: 'CastLike', opset: 15, inputs: [fed(plain), fed(wholes, 'int64')] },
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

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function initializerOf(name: string, [dims, values]: Tensor, as: Kind = 'float'): Record<string, unknown> {
  const data = { float: { floatData: values }, int64: { int64Data: values }, bool: { int32Data: values } };
  return { name, dims, dataType: elementType[as], ...data[as] };
}

/** The operator between casts: numbers go in and come out. A free axis, of one example, is in front of the first input. */
function modelOf({ op, opset = 17, domain = '', inputs, ints = {}, floats = {}, texts = {} }: Operator): Uint8Array {
  const node: Record<string, unknown>[] = [];
  const initializer: Record<string, unknown>[] = [];
  const input: Record<string, unknown>[] = [];
  const cast = (from: string, to: string, kind: Kind): void => {
    node.push({
      opType: 'Cast',
      input: [from],
      output: [to],
      attribute: [{ name: 'to', type: attributeType.int, i: elementType[kind] }],
    });
  };
  const names = inputs.map((given, i) => {
    const name = `x${i}`;
    if (given?.constant) initializer.push(initializerOf(name, given.constant, given.as));
    if (!given?.fed) return given ? name : '';
    const dim = [...(i === 0 ? [{ dimParam: 'batch' }] : []), ...given.fed[0].map((size) => ({ dimValue: size }))];
    input.push({ name, type: { tensorType: { elemType: elementType.float, shape: { dim } } } });
    if (given.as === undefined || given.as === 'float') return name;
    cast(name, `${name}/cast`, given.as);
    return `${name}/cast`;
  });
  const attribute = [
    ...Object.entries(ints).map(([name, value]) =>
      typeof value === 'number' ? { name, type: attributeType.int, i: value } : { name, type: attributeType.ints, ints: value },
    ),
    ...Object.entries(floats).map(([name, f]) => ({ name, type: attributeType.float, f })),
    ...Object.entries(texts).map(([name, text]) => ({ name, type: 3, s: bytesOf(text) })),
  ];
  node.push({ opType: op, domain, name: 'it', input: names, output: ['result'], attribute });
  cast('result', 'y', 'float');
  const output = [{ name: 'y', type: { tensorType: { elemType: elementType.float } } }];
  const opsetImport = [
    { domain: '', version: opset },
    { domain: 'com.microsoft', version: 1 },
  ];
  return encodeModel({ irVersion: 8, opsetImport, graph: { name: 'one', node, initializer, input, output } });
}

const inputsOf = ({ inputs }: Operator): Record<string, ReferenceTensor> =>
  Object.fromEntries(
    inputs.flatMap((input, i) => {
      if (!input?.fed) return [];
      const [dims, values] = input.fed;
      return [[`x${i}`, referenceTensor(i === 0 ? [1, ...dims] : dims, values)] as const];
    }),
  );

async function inOrt(bytes: Uint8Array, inputs: Record<string, ReferenceTensor>): Promise<ort.Tensor> {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 });
  const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
    name,
    new ort.Tensor('float32', Float32Array.from(data), [...shape]),
  ]);
  const { y } = await session.run(Object.fromEntries(feeds));
  await session.release();
  if (y === undefined) throw new Error('The graph gave no result');
  return y;
}

/** Each number by itself: an infinite one must not excuse the others. */
function wrong(actual: ArrayLike<number>, expected: ArrayLike<number>): string[] {
  return Array.from(expected).flatMap((x, i) => {
    const a = actual[i] ?? 'nothing';
    const same =
      typeof a === 'number' && (Object.is(a, x) || Math.abs(a - x) <= 3e-6 * Math.max(1, Math.abs(Number.isFinite(x) ? x : 0)));
    return same ? [] : [`[${i}] ${a} for ${x}`];
  });
}

describe.each([
  ['activations', activations],
  ['arithmetic', arithmetic],
  ['comparisons and choices', comparisons],
  ['reductions', reductions],
])('%s are read as what ONNX Runtime computes', (_, operators) => {
  it.each(operators.map((operator) => [`${operator.op} - ${operator.case ?? 'plain'}`, operator] as const))(
    '%s',
    async (_name, operator) => {
      const bytes = modelOf(operator);
      const inputs = inputsOf(operator);
      const expected = await inOrt(bytes, inputs);
      const graph = importOnnx(bytes, { parameters: Object.keys(inputs).slice(1) });
      const { y } = runReference(graph, inputs);
      expect(y?.shape).toEqual(expected.dims);
      expect(wrong(y?.data ?? [], expected.data as Float32Array)).toEqual([]);
      // Written again it is still the same.
      const again = await inOrt(exportOnnx(graph), inputs);
      expect(wrong(again.data as Float32Array, expected.data as Float32Array)).toEqual([]);
    },
  );
});
