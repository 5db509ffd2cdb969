/**
 * Tensors that are known while importing: sizes, axes, positions, masks. The arithmetic that exporters write about them is
 * done at once, with the number of examples as a symbol, and never reaches the graph.
 */
import { batchSize, mul, reshape } from '../../emit.js';
import { cast } from '../../emit/elementwise.js';
import { concat } from '../../emit/shape.js';
import { UnsupportedModel } from '../../errors.js';
import type { DType, Dim } from '../../graph.js';
import type { Emit, Value } from '../../op.js';
import { constantNumber, madeBy } from '../../ops/patterns.js';
import { elements, listed } from '../../reference-tensor.js';
import { factorOf, isFree, showShape, sizeOf } from '../../shapes.js';
import type { WorkBudget } from '../../work-budget.js';

export interface KnownTensor {
  readonly kind: 'known';
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Numbers (truth values as 0 and 1), or multiples of the number of examples. */
  readonly data: readonly Dim[];
}

/** What is larger is not worked out while importing: a file of a few bytes can ask for any size. */
export const MAX_KNOWN_ELEMENTS = 2 ** 22;
/** Floats that came with the file may be weights; only few of them are taken for numbers about shapes. */
const MAX_GIVEN_FLOATS = 4096;

/** Before it is made: the number of elements, each of which takes so many steps. */
export function roomFor(work: WorkBudget, shape: readonly number[], stepsPerElement = 1): number {
  const size = elements(shape);
  if (size <= MAX_KNOWN_ELEMENTS && shape.every((dim) => dim >= 0)) {
    work.spend({ steps: size * stepsPerElement, elements: size });
    return size;
  }
  throw tooLarge(shape);
}

export const tooLarge = (shape: readonly number[]): UnsupportedModel =>
  new UnsupportedModel(`A tensor of shape ${showShape(shape)} would be made while importing`, {
    value: showShape(shape),
    expected: `at most ${MAX_KNOWN_ELEMENTS} elements`,
  });

export const known = (dtype: DType, shape: readonly number[], data: readonly Dim[]): KnownTensor => ({
  kind: 'known',
  dtype,
  shape,
  data,
});

export const knownScalar = (dtype: DType, value: Dim): KnownTensor => known(dtype, [], [value]);

/** Looked for once: a loop asks the same of millions of numbers in each turn. */
export function hasSymbols(tensor: KnownTensor): boolean {
  let found = symbols.get(tensor);
  if (found === undefined) symbols.set(tensor, (found = tensor.data.some(isFree)));
  return found;
}

const symbols = new WeakMap<KnownTensor, boolean>();

const asValues = new WeakMap<KnownTensor, Value>();
const asTensors = new WeakMap<Value, KnownTensor>();
const workedOut = new WeakSet<Value>();

/** A known tensor where the graph needs one: a constant, or made of the number of examples. */
export function valueOf(e: Emit, tensor: KnownTensor): Value {
  const before = asValues.get(tensor);
  if (before !== undefined) return before;
  roomFor(e.work, tensor.shape);
  const value = hasSymbols(tensor)
    ? withExamples(e, tensor)
    : e.constant(tensor.shape, new Float64Array(tensor.data as readonly number[]), tensor.dtype);
  asValues.set(tensor, value);
  asTensors.set(value, tensor);
  workedOut.add(value);
  return value;
}

function withExamples(e: Emit, { dtype, shape, data }: KnownTensor): Value {
  const float = (dim: Dim): Value => (isFree(dim) ? mul(e, batchSize(e), e.scalar(factorOf(dim))) : e.scalar(dim));
  const parts = data.map((dim) => reshape(e, float(dim), [1]));
  const list = reshape(e, concat(e, parts, 0), shape);
  return dtype === 'float32' ? list : cast(e, list, dtype);
}

/** The known tensor that a value was made of. */
export const tensorOf = (value: Value): KnownTensor | undefined => asTensors.get(value);

/** A constant as a known tensor; undefined for what depends on data, and for weights. */
export function knownFrom(work: WorkBudget, value: Value): KnownTensor | undefined {
  const before = asTensors.get(value);
  if (before !== undefined) return before;
  const size = sizeOf(value.shape);
  if (size === undefined || size > MAX_KNOWN_ELEMENTS) return undefined;
  const data = numbersIn(work, value, size);
  if (data === undefined) return undefined;
  const tensor = known(value.dtype, value.shape as readonly number[], data);
  asTensors.set(value, tensor);
  return tensor;
}

function numbersIn(work: WorkBudget, value: Value, size: number): readonly number[] | undefined {
  const stretched = madeBy(value, 'expand')?.inputs[0];
  const number = stretched && constantNumber(stretched);
  const { source, dtype } = value;
  const isKnown = number !== undefined || (source.kind === 'constant' && (dtype !== 'float32' || size <= MAX_GIVEN_FLOATS));
  if (!isKnown) return undefined;
  work.spend({ steps: size, elements: size });
  return source.kind === 'constant' ? listed(source.data) : repeated(number ?? Number.NaN, size);
}

export function repeated(number: number, count: number): readonly number[] {
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) numbers.push(number);
  return numbers;
}

/** True of floats that came of known tensors: a mask, an encoding of positions. */
export const wasWorkedOut = (value: Value): boolean => workedOut.has(value);
