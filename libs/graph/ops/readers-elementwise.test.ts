/** Each ONNX operator that is read as elementwise ops or choices computes what ONNX Runtime makes of it itself. */
import { elementType } from '../onnx/proto.js';
import {
  constant,
  describeAsRead,
  edges,
  fed,
  numberOf,
  positive,
  unary,
  wholes,
  type Input,
  type Operator,
  type Tensor,
} from '../testing/operator-beside-ort.js';

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const plain: Tensor = [
  [2, 3],
  [0.3, -1.2, 0.7, 2.1, -0.4, 0.9],
];
const small: Tensor = [
  [2, 3],
  [0.3, -0.2, 0.7, 0.99, -0.4, 0],
];
const others: Tensor = [
  [3, 6],
  [0, 1, 0.5, -0.25, 2, -1, nan, -2, 2.5, 2, -3, 0.4, inf, -inf, 1, -4.7, 2, 3],
];
const row: Tensor = [[6], [1, -1, 0.5, 0, 3, nan]];
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

describeAsRead('activations', activations);
describeAsRead('arithmetic', arithmetic);
describeAsRead('comparisons and choices', comparisons);
