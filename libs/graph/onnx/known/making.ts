/** Operators that make tensors of sizes: ranges, zeros, and what asks for a shape. */
import type { GraphBuilder } from '../../builder.js';
import { countingTo, filled } from '../../emit/shape.js';
import type { DType, Dim, Shape } from '../../graph.js';
import type { OnnxNode, Value } from '../../op.js';
import { elements } from '../../reference-tensor.js';
import { freeAxes, isFree, mergedDim, showShape, stridesOf } from '../../shapes.js';
import { STEPS_PER_ELEMENT, type WorkBudget } from '../../work-budget.js';
import { elementType } from '../proto.js';
import type { OnnxTensor } from '../proto.js';
import { floatsOf, integersOf, isFloatType } from '../tensors.js';
import { known, knownScalar, repeated, roomFor, valueOf } from './known.js';
import type { KnownTensor } from './known.js';
import { divided, plus, times } from './symbols.js';

export type Made = KnownTensor | Value;

/** A node that may have inputs that are not known. */
export interface MakingNode extends OnnxNode {
  readonly work: WorkBudget;
  /** Undefined where it is missing or not known. */
  known(index: number): KnownTensor | undefined;
  tensor(name: string): OnnxTensor | undefined;
}

type Maker = (builder: GraphBuilder, node: MakingNode) => Made;

export const dtypeFrom = (type: number): DType => {
  if (isFloatType(type)) return 'float32';
  return type === elementType.bool ? 'bool' : 'int64';
};

function knownInput(node: MakingNode, index: number): KnownTensor {
  const tensor = node.known(index);
  if (tensor !== undefined) return tensor;
  throw node.unsupported(`input ${index} is not known before the model runs`, 'sizes that do not depend on data');
}

const scalarInput = (node: MakingNode, index: number): Dim => knownInput(node, index).data[0] ?? Number.NaN;

const shapeOf = (node: MakingNode): Shape => node.known(0)?.shape ?? node.input(0).shape;

const makeShape: Maker = (_builder, node) => {
  const shape = shapeOf(node);
  const dims = shape.slice(node.int('start', 0), node.int('end', shape.length));
  return known('int64', [dims.length], dims);
};

const makeSize: Maker = (_builder, node) => {
  const shape = shapeOf(node);
  const size = mergedDim(shape);
  if (size === undefined) throw node.unsupported(`the size of ${showShape(shape)}`, 'at most one free axis');
  return knownScalar('int64', size);
};

const makeFilled: Maker = (builder, node) => {
  const shape = node.sizes(0);
  const tensor = node.tensor('value');
  const type = tensor?.dataType ?? elementType.float;
  const value = tensor === undefined ? 0 : (isFloatType(type) ? floatsOf(tensor) : integersOf(tensor))[0];
  if (value === undefined) throw node.unsupported('a value without a number');
  const dtype = dtypeFrom(type);
  if (dtype === 'float32' || freeAxes(shape) > 0) return filled(builder, shape, value, dtype);
  const size = roomFor(node.work, shape as readonly number[]);
  return known(dtype, shape as readonly number[], repeated(value, size));
};

/** From 0 to a multiple of the number of examples it is counted when the graph runs. */
const makeRange: Maker = (builder, node) => {
  const [start, limit, delta] = [scalarInput(node, 0), scalarInput(node, 1), scalarInput(node, 2)];
  const { dtype } = knownInput(node, 0);
  const span = plus(limit, times(start, -1));
  if (isFree(span)) {
    const steps = divided(span, delta, dtype !== 'float32');
    if (dtype === 'int64' && start === 0 && delta === 1 && isFree(steps)) return countingTo(builder, steps);
    throw node.unsupported(`a range from ${start} to ${limit}`, 'one from 0 in steps of 1, or sizes that are fixed');
  }
  if (isFree(start) || isFree(delta)) throw node.unsupported(`a range from ${start} in steps of ${delta}`, 'fixed numbers');
  const count = Math.max(0, Math.ceil(span / delta));
  if (!Number.isFinite(count)) throw node.unsupported(`a range from ${start} to ${limit} in steps of ${delta}`);
  roomFor(node.work, [count]);
  const numbers: number[] = [];
  for (let i = 0; i < count; i++) numbers.push(start + i * delta);
  return known(dtype, [count], numbers);
};

const makeEye: Maker = (_builder, node) => {
  const shape = shapeOf(node);
  const [rows, columns] = shape;
  if (shape.length !== 2 || typeof rows !== 'number' || typeof columns !== 'number') {
    throw node.unsupported(`a diagonal of ${showShape(shape)}`, 'two fixed axes');
  }
  const shift = node.int('k', 0);
  const size = roomFor(node.work, [rows, columns]);
  const data = Array.from({ length: size }, (_, i) => ((i % columns) - Math.floor(i / columns) === shift ? 1 : 0));
  return known(dtypeFrom(node.int('dtype', elementType.float)), [rows, columns], data);
};

/** The places of what is not zero, one row for each axis. */
const makeNonZero: Maker = (_builder, node) => {
  const { shape, data } = knownInput(node, 0);
  roomFor(node.work, shape, STEPS_PER_ELEMENT * (1 + shape.length));
  const places: number[] = [];
  for (const [i, x] of data.entries()) if (x !== 0) places.push(i);
  const strides = stridesOf(shape);
  const rows = shape.map((dim, axis) => places.map((place) => Math.floor(place / (strides[axis] ?? 1)) % dim));
  roomFor(node.work, [shape.length, places.length]);
  return known('int64', [shape.length, places.length], rows.flat());
};

export const makers: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['ConstantOfShape', makeFilled],
  ['EyeLike', makeEye],
  ['NonZero', makeNonZero],
  ['Range', makeRange],
  ['Shape', makeShape],
  ['Size', makeSize],
]);

/** Constants of the file. Whole numbers and truth values are known; floats are tensors, since they may be weights. */
export function constantFrom(builder: GraphBuilder, tensor: OnnxTensor): Made {
  if (isFloatType(tensor.dataType)) return builder.constant(tensor.dims, floatsOf(tensor));
  const dtype = dtypeFrom(tensor.dataType ?? 0);
  const count = Math.min(elements(tensor.dims), tensor.rawData?.length ?? Infinity);
  builder.work.spend({ steps: count, elements: count });
  const data = integersOf(tensor);
  return known(dtype, tensor.dims, dtype === 'bool' ? data.map((x) => (x === 0 ? 0 : 1)) : data);
}

/** Floats go on as tensors, so that each is one value of the graph. */
export const finished = (builder: GraphBuilder, tensor: KnownTensor): Made =>
  tensor.dtype === 'float32' && !tensor.data.some(isFree) ? valueOf(builder, tensor) : tensor;
