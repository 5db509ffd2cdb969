/** Operators that pick and place by whole numbers. */
import { add, mul, reshape, sub, expand, transpose, batchSize } from '../../emit.js';
import { cast, less, where } from '../../emit/elementwise.js';
import { concat, filled, gather, gatherElements, oneHot, scatterAdd, scatterElementsAdd, sliceAlong } from '../../emit/shape.js';
import type { Dim, Shape } from '../../graph.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { numberLike } from '../../ops/dtypes.js';
import { indexWithin, offsetsBeside } from '../../ops/indices.js';
import { beforeStretching } from '../../ops/stretched.js';
import { factorOf, isFree, mergedDim, normalizeAxis, showShape, stridesOf } from '../../shapes.js';

/** Larger masks are not made while importing. */
const MAX_MASK_ELEMENTS = 2 ** 22;

const axisOf = (node: OnnxNode, x: Value, byDefault = 0): number => normalizeAxis(node.int('axis', byDefault), x.shape.length);

/** Indices that are known are checked while importing; a fixed place along the axis of the examples cannot be meant. */
function checkKnown(node: OnnxNode, indices: Value, dim: Dim): void {
  if (indices.source.kind !== 'constant') return;
  if (isFree(dim))
    throw node.unsupported('examples are picked by their places in a chunk', 'an example that does not depend on others');
  for (const index of indices.source.data) indexWithin(index, dim);
}

const readGather: OnnxReader = (e, node) => {
  const [x, indices] = [node.input(0), node.input(1)];
  const axis = axisOf(node, x);
  checkKnown(node, indices, at(x.shape, axis));
  return gather(e, x, indices, axis);
};

const readGatherElements: OnnxReader = (e, node) => {
  const [x, indices] = [node.input(0), node.input(1)];
  const axis = axisOf(node, x);
  checkKnown(node, indices, at(x.shape, axis));
  return gatherElements(e, x, indices, axis);
};

/** These axes as one. */
function merged(node: OnnxNode, shape: Shape): Dim {
  const dim = mergedDim(shape);
  if (dim === undefined) throw node.unsupported(`the axes ${showShape(shape)} as one`, 'one axis of examples');
  return dim;
}

const sizeAsWhole = (e: Emit, dim: Dim): Value =>
  isFree(dim) ? cast(e, mul(e, batchSize(e), e.scalar(factorOf(dim))), 'int64') : e.constant([], Float64Array.of(dim), 'int64');

const countedFromZero = (e: Emit, indices: Value, dim: Dim): Value =>
  where(e, less(e, indices, numberLike(e, indices, 0)), add(e, indices, sizeAsWhole(e, dim)), indices);

/** Indices whose last axis names a place in `shape`, as places in those axes made one. */
function flatPlaces(e: Emit, node: OnnxNode, indices: Value, shape: Shape): Value {
  const last = indices.shape.length - 1;
  const parts = shape.map((dim, i) => {
    const column = reshape(e, sliceAlong(e, indices, last, i, 1), indices.shape.slice(0, -1));
    checkKnown(node, column, dim);
    const behind = merged(node, shape.slice(i + 1));
    return mul(e, countedFromZero(e, column, dim), sizeAsWhole(e, behind));
  });
  return parts.reduce((sum, part) => add(e, sum, part));
}

const depthOf = (node: OnnxNode, indices: Value, rank: number): number => {
  const depth = indices.shape.at(-1);
  if (typeof depth === 'number' && depth >= 1 && depth <= rank) return depth;
  throw node.unsupported(
    `indices of shape ${showShape(indices.shape)} into ${rank} axes`,
    'as many numbers in the last axis as axes',
  );
};

/** Along axes that x was stretched along, every place is the same: what is picked by the others only. */
function withoutStretched(e: Emit, x: Value, indices: Value, depth: number): { readonly x: Value; readonly indices: Value } {
  const small = beforeStretching(e, x);
  const asked = Array.from({ length: depth }, (_, axis) => axis).filter((axis) => small?.shape[axis] === x.shape[axis]);
  if (small === undefined || asked.length === depth || asked.length === 0) return { x, indices };
  const left = x.shape.map((_, axis) => axis).filter((axis) => axis >= depth || asked.includes(axis));
  const dims = (value: Value): Shape => left.map((axis) => at(value.shape, axis));
  const last = indices.shape.length - 1;
  const columns = asked.map((axis) => sliceAlong(e, indices, last, axis, 1));
  return { x: expand(e, reshape(e, small, dims(small)), dims(x)), indices: concat(e, columns, last) };
}

const readGatherNd: OnnxReader = (e, node) => {
  const shared = node.int('batch_dims', 0);
  const given = { x: node.input(0), indices: node.input(1) };
  const { x, indices } =
    shared === 0 ? withoutStretched(e, given.x, given.indices, depthOf(node, given.indices, given.x.shape.length)) : given;
  const depth = depthOf(node, indices, x.shape.length - shared);
  const [common, rest] = [x.shape.slice(0, shared), x.shape.slice(shared + depth)];
  const picked = x.shape.slice(shared, shared + depth);
  const places = flatPlaces(e, node, indices, picked);
  const size = merged(node, picked);
  if (shared === 0) return gather(e, reshape(e, x, [size, ...rest]), places, 0);
  const [count, width] = [merged(node, places.shape.slice(shared)), merged(node, rest)];
  const columns = expand(e, reshape(e, places, [...common, count, 1]), [...common, count, width]);
  const rows = gatherElements(e, reshape(e, x, [...common, size, width]), columns, shared);
  return reshape(e, rows, [...places.shape, ...rest]);
};

/** Puts sums in place of what was there, or adds them. `touched`: how often each place is written to. */
function placed(e: Emit, node: OnnxNode, data: Value, sums: Value, touched: () => Value): Value {
  const reduction = node.text('reduction', 'none');
  if (reduction === 'add') return add(e, data, sums);
  if (reduction !== 'none') throw node.unsupported(`the reduction '${reduction}'`, 'none or add');
  return where(e, less(e, e.scalar(0), touched()), sums, data);
}

/** Two values for one place: which of them stays is not said anywhere. */
function checkDistinct(node: OnnxNode, places: ArrayLike<number>): void {
  if (node.text('reduction', 'none') !== 'none' || new Set(Array.from(places)).size === places.length) return;
  throw node.unsupported('two values for one place', 'each place once');
}

/** Known indices along an axis, as places in the tensor flattened. A free axis is not longer than the indices beside it. */
function knownPlaces(indices: Value, shape: Shape, axis: number): readonly number[] {
  if (indices.source.kind !== 'constant') return [];
  const dims = shape.map((dim, i) => (isFree(dim) ? Number(indices.shape[i]) : dim));
  const strides = stridesOf(dims);
  const offsets = offsetsBeside(indices.shape as readonly number[], strides, axis);
  return Array.from(
    indices.source.data,
    (index, i) => (offsets[i] ?? 0) + indexWithin(index, dims[axis] ?? 0) * (strides[axis] ?? 1),
  );
}

const readScatterNd: OnnxReader = (e, node) => {
  const [data, indices, updates] = [node.input(0), node.input(1), node.input(2)];
  const depth = depthOf(node, indices, data.shape.length);
  const rest = data.shape.slice(depth);
  const places = flatPlaces(e, node, indices, data.shape.slice(0, depth));
  if (places.source.kind === 'constant') checkDistinct(node, places.source.data);
  const size = merged(node, data.shape.slice(0, depth));
  const sums = reshape(e, scatterAdd(e, updates, places, 0, size), data.shape);
  const touched = (): Value => {
    const counts = scatterAdd(e, filled(e, places.shape, 1), places, 0, size);
    return reshape(e, counts, [...data.shape.slice(0, depth), ...rest.map(() => 1)]);
  };
  return placed(e, node, data, sums, touched);
};

const readScatterElements: OnnxReader = (e, node) => {
  const [data, indices, updates] = [node.input(0), node.input(1), node.input(2)];
  const axis = axisOf(node, data);
  checkKnown(node, indices, at(data.shape, axis));
  checkDistinct(node, knownPlaces(indices, data.shape, axis));
  const scatter = (values: Value): Value => scatterElementsAdd(e, values, indices, axis, data.shape);
  return placed(e, node, data, scatter(updates), () => scatter(filled(e, indices.shape, 1)));
};

const readOneHot: OnnxReader = (e, node) => {
  const given = node.input(0);
  const indices = given.dtype === 'int64' ? given : cast(e, given, 'int64');
  const [depth] = node.sizes(1);
  if (typeof depth !== 'number')
    throw node.unsupported(`rows of ${depth}`, 'a depth that does not depend on the number of examples');
  const rank = indices.shape.length + 1;
  const axis = normalizeAxis(node.int('axis', -1), rank);
  const hot = transpose(
    e,
    oneHot(e, indices, depth),
    Array.from({ length: rank }, (_, i) => (i === axis ? rank - 1 : i < axis ? i : i - 1)),
  );
  const value = (i: number): Value => reshape(e, sliceAlong(e, node.input(2), 0, i, 1), []);
  const [off, on] = [value(0), value(1)];
  if (off.dtype !== 'float32') return where(e, cast(e, hot, 'bool'), on, off);
  return add(e, mul(e, hot, sub(e, on, off)), off);
};

/** By a choice, not a product: what is cut away may be infinite. */
const readTrilu: OnnxReader = (e, node) => {
  const x = node.input(0);
  const shift = node.has(1) ? Number(node.sizes(1)[0]) : 0;
  const [rows, columns] = [x.shape.at(-2), x.shape.at(-1)];
  if (typeof rows !== 'number' || typeof columns !== 'number' || rows * columns > MAX_MASK_ELEMENTS) {
    throw node.unsupported(`a triangle of ${showShape(x.shape)}`, 'two fixed last axes');
  }
  const upper = node.int('upper', 1) === 1;
  const mask = Float32Array.from({ length: rows * columns }, (_, i) => {
    const above = (i % columns) - Math.floor(i / columns);
    return (upper ? above >= shift : above <= shift) ? 1 : 0;
  });
  return where(e, e.constant([rows, columns], mask, 'bool'), x, numberLike(e, x, 0));
};

export const pickingReaders: Readonly<Record<string, OnnxReader>> = {
  Gather: readGather,
  GatherElements: readGatherElements,
  GatherND: readGatherNd,
  OneHot: readOneHot,
  Scatter: readScatterElements,
  ScatterElements: readScatterElements,
  ScatterND: readScatterNd,
  Trilu: readTrilu,
};
