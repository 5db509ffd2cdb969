/** Elementwise operators on known tensors. */
import type { DType, Dim } from '../../graph.js';
import { broadcastOffsets } from '../../reference-tensor.js';
import { broadcastShapes, isFree, sameShape } from '../../shapes.js';
import { known, roomFor } from './known.js';
import type { KnownTensor } from './known.js';
import { STEPS_PER_ELEMENT } from '../../work-budget.js';
import { dtypeFrom } from './making.js';
import type { KnownNode, Rule } from './rule.js';
import {
  divided,
  isAtMost,
  isEqual,
  isLess,
  larger,
  minus,
  ofNumber,
  plus,
  remainder,
  rounded,
  smaller,
  times,
} from './symbols.js';

type Elementwise = (...values: readonly Dim[]) => Dim;

/** Applies f to the elements that broadcasting brings together, of three tensors at most. */
function mapped(dtype: DType, { inputs, work }: Pick<KnownNode, 'inputs' | 'work'>, f: Elementwise): KnownTensor {
  const shape = inputs.map((input) => input.shape).reduce((a, b) => broadcastShapes(a, b) as readonly number[], []);
  const size = roomFor(work, shape, STEPS_PER_ELEMENT * inputs.length);
  const read = inputs.map((input) => reader(input, shape));
  const [a, b, c] = read;
  const data: Dim[] = [];
  // Told apart, since a list of arguments for each element takes most of the time.
  if (a === undefined) return known(dtype, shape, size === 0 ? [] : [f()]);
  if (b === undefined) for (let i = 0; i < size; i++) data.push(f(a(i)));
  else if (c === undefined) for (let i = 0; i < size; i++) data.push(f(a(i), b(i)));
  else for (let i = 0; i < size; i++) data.push(f(a(i), b(i), c(i)));
  return known(dtype, shape, data);
}

/** The element of a tensor that broadcasting to a shape puts at each place. */
function reader({ shape: from, data }: KnownTensor, to: readonly number[]): (place: number) => Dim {
  if (sameShape(from, to)) return (place) => data[place] ?? Number.NaN;
  const offsets = broadcastOffsets(from, to);
  return (place) => data[offsets[place] ?? 0] ?? Number.NaN;
}

const dtypeOfFirst = ({ inputs }: KnownNode): DType => inputs[0]?.dtype ?? 'float32';

type Chooser = (node: KnownNode) => Elementwise;

const numeric =
  (choose: Chooser): Rule =>
  (node) =>
    mapped(dtypeOfFirst(node), node, choose(node));

const binary = (f: (a: Dim, b: Dim) => Dim): Rule => numeric(() => (a, b) => f(a ?? Number.NaN, b ?? Number.NaN));
const unary = (f: (x: Dim) => Dim): Rule => numeric(() => (x) => f(x ?? Number.NaN));
const variadic =
  (f: (a: Dim, b: Dim) => Dim): Rule =>
  (node) =>
    node.inputs.reduce((all, input) =>
      mapped(dtypeOfFirst(node), { inputs: [all, input], work: node.work }, (a, b) => f(a ?? Number.NaN, b ?? Number.NaN)),
    );

const truth =
  (f: (a: Dim, b: Dim) => boolean): Rule =>
  (node) =>
    mapped('bool', node, (a, b) => (f(a ?? Number.NaN, b ?? Number.NaN) ? 1 : 0));

const isTrue = (x: Dim): boolean => isFree(x) || x !== 0;

const functions: Readonly<Record<string, (x: number) => number>> = {
  Cos: Math.cos,
  Exp: Math.exp,
  Log: Math.log,
  Reciprocal: (x) => 1 / x,
  Sign: Math.sign,
  Sin: Math.sin,
  Sqrt: Math.sqrt,
  Tanh: Math.tanh,
};

const toEven = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

function castTo(node: KnownNode, dtype: DType): KnownTensor {
  const tensor = node.operand(0);
  if (tensor.dtype === dtype) return tensor;
  roomFor(node.work, tensor.shape);
  const truncated = rounded(Math.trunc, 'trunc');
  const convert = { float32: (x: Dim) => x, int64: truncated, bool: (x: Dim) => (isTrue(x) ? 1 : 0) }[dtype];
  return known(dtype, tensor.shape, tensor.data.map(convert));
}

const power = (a: Dim, b: Dim): Dim => {
  if (b === 1) return a;
  return ofNumber((x) => x ** ofNumber((y) => y, 'exponent')(b), 'pow')(a);
};

export const elementwiseRules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(Object.entries(functions).map(([name, f]) => [name, unary(ofNumber(f, name))])),
  IsNaN: (node) => mapped('bool', node, (x) => (Number.isNaN(x) ? 1 : 0)),
  Abs: unary((x) => (isLess(x, 0) ? minus(x) : x)),
  Add: binary(plus),
  And: truth((a, b) => isTrue(a) && isTrue(b)),
  Cast: (node) => castTo(node, dtypeFrom(node.int('to', 0))),
  CastLike: (node) => castTo(node, node.operand(1).dtype),
  Ceil: unary(rounded(Math.ceil, 'ceil')),
  Div: numeric((node) => (a, b) => divided(a ?? Number.NaN, b ?? Number.NaN, dtypeOfFirst(node) !== 'float32')),
  Equal: truth(isEqual),
  Floor: unary(rounded(Math.floor, 'floor')),
  Greater: truth((a, b) => isLess(b, a)),
  GreaterOrEqual: truth((a, b) => isAtMost(b, a)),
  Less: truth(isLess),
  LessOrEqual: truth(isAtMost),
  Max: variadic(larger),
  Min: variadic(smaller),
  Mod: numeric((node) => (a, b) => remainder(a ?? Number.NaN, b ?? Number.NaN, node.int('fmod', 0) === 1)),
  Mul: binary(times),
  Neg: unary(minus),
  Not: (node) => mapped('bool', node, (x) => (isTrue(x ?? 0) ? 0 : 1)),
  Or: truth((a, b) => isTrue(a) || isTrue(b)),
  Pow: binary(power),
  Round: unary(rounded(toEven, 'round')),
  Sub: binary((a, b) => plus(a, minus(b))),
  Where: (node) => mapped(node.operand(1).dtype, node, (condition, a, b) => (isTrue(condition ?? 0) ? (a ?? 0) : (b ?? 0))),
  Xor: truth((a, b) => isTrue(a) !== isTrue(b)),
};
