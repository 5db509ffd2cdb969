/**
 * Exporters fold the transposition of a weight into an anonymous constant (`onnx::MatMul_123`, `val_7`) and its name is gone; some
 * store weights in another layout. Where the values of the parameters are known, what they became is found by its numbers.
 */
import { UnsupportedModel } from '../errors.js';
import type { ConstantData } from '../graph.js';
import { stridesOf } from '../shapes.js';
import { walk } from '../reference-tensor.js';
import type { WorkBudget } from '../work-budget.js';
import type { OnnxTensor } from './proto.js';
import { floatsOf } from './tensors.js';

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: ConstantData;
}

/** The tensor of the file is the parameter with its axes in this order, then with the tensor's shape. */
export interface Folded {
  readonly tensor: OnnxTensor;
  readonly permutation: readonly number[];
}

/** Of two tensors, however small. */
const STEPS_PER_COMPARISON = 1000;
/** Axes beyond this come in one order only. */
const MAX_PERMUTED_AXES = 5;

/** All tensors that hold the parameter's numbers in some order of its axes; more than one where a weight is shared. */
export function findFolded(work: WorkBudget, parameter: NamedTensor, tensors: readonly OnnxTensor[]): readonly Folded[] {
  const orders = permutations(parameter.shape.length);
  return tensors.flatMap((tensor) => {
    if (sizeOf(tensor.dims) !== parameter.data.length) return [];
    const fitting = orders.filter((order) =>
      sameSizes(
        order.map((axis) => parameter.shape[axis] ?? 1),
        tensor.dims,
      ),
    );
    if (fitting.length === 0) return [];
    work.spend({ steps: STEPS_PER_COMPARISON + parameter.data.length * fitting.length, elements: 0 });
    const data = floatsOf(tensor);
    const permutation = fitting.find((order) => holds(data, parameter, order));
    return permutation === undefined ? [] : [{ tensor, permutation }];
  });
}

/** Numbers that are all the same tell nothing: two such parameters cannot be told apart. */
export const isTelling = ({ data }: NamedTensor): boolean =>
  data.length > 1 ? data.some((x) => x !== data[0]) : data[0] !== 0 && data[0] !== 1;

export function checkTelling(tensor: NamedTensor, field: string): void {
  const { name, data } = tensor;
  if (isTelling(tensor)) return;
  throw new UnsupportedModel(`The parameter '${name}' is not in the graph under its name, and its values are all ${data[0]}`, {
    field,
    value: name,
    expected: 'values that tell it from others: give trained ones, or export without constant folding',
  });
}

const sizeOf = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

/** Apart from axes of size 1, which exporters add and take away. */
const sameSizes = (a: readonly number[], b: readonly number[]): boolean => longer(a) === longer(b);
const longer = (dims: readonly number[]): string => dims.filter((dim) => dim !== 1).join();

function permutations(count: number): readonly (readonly number[])[] {
  if (count > MAX_PERMUTED_AXES) return [Array.from({ length: count }, (_, axis) => axis)];
  if (count === 0) return [[]];
  return permutations(count - 1).flatMap((rest) =>
    Array.from({ length: count }, (_, at) => [...rest.slice(0, at), count - 1, ...rest.slice(at)]),
  );
}

function holds(data: ConstantData, { shape, data: values }: NamedTensor, order: readonly number[]): boolean {
  const strides = stridesOf(shape);
  const offsets = walk(
    order.map((axis) => shape[axis] ?? 1),
    order.map((axis) => strides[axis] ?? 0),
  );
  // A file in single precision holds the rounded numbers.
  const round = data instanceof Float32Array ? Math.fround : (x: number): number => x;
  return data.every((x, i) => Object.is(x, round(values[offsets[i] ?? 0] ?? Number.NaN)));
}
