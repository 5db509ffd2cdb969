/** How the ops that add examples up, and those behind them, are done for each example by itself. */
import { add, matmul, mul, reduceSum, reshape, transpose } from './emit.js';
import { concat, countingTo, scatterAdd, sliceAlong, unslice } from './emit/shape.js';
import { UnsupportedModel } from './errors.js';
import type { Dim, GraphNode, Shape } from './graph.js';
import { axesAttribute, flagAttribute, numberAttribute, shapeAttribute } from './op.js';
import type { Emit, Value } from './op.js';
import { convOptionsOf } from './ops/convolution.js';
import { isElementwise } from './ops/registry.js';
import { spatialOf } from './ops/windows.js';
import { factorOf, fixedSize, freeDim, isFree } from './shapes.js';

export interface Each {
  readonly value: Value;
  /** With an axis of examples in front of the shape that the value has in the plain graph. */
  readonly lifted: boolean;
}

type Place = number | 'none' | 'mixed';

export const notApart = (what: string): UnsupportedModel =>
  new UnsupportedModel(`The gradients of single examples cannot be kept apart through '${what}'`, {
    field: 'model',
    value: what,
    expected: 'one example at a time',
  });

/** A node that adds up examples, without adding them up: [batch, …the node's shape]. */
export function apart(e: Emit, node: GraphNode, inputs: readonly Value[], places: readonly Place[]): Value {
  const rule = adding[node.op];
  const made = rule?.(e, node, inputs, places);
  if (made === undefined) throw notApart(node.op);
  return made;
}

/** A node behind such ones, for each example. */
export function forEach(e: Emit, node: GraphNode, inputs: readonly Each[]): Value {
  if (isElementwise(node.op))
    return e.apply(
      node.op,
      inputs.map((input) => ranked(e, input, node.shape.length)),
      node.attributes,
    );
  const made = lifting[node.op]?.(e, node, inputs);
  if (made === undefined || inputs.some(({ lifted, value }) => !lifted && value.shape.some(isFree))) throw notApart(node.op);
  return made;
}

/** The examples' axis, apart from what it was merged with, in front of all others. */
function inFront(e: Emit, value: Value, place: number): Value {
  const { shape } = value;
  const merged = factorOf(shape[place] ?? 1);
  const split: Dim[] = [...shape.slice(0, place), 'batch', merged, ...shape.slice(place + 1)];
  const order = split.map((_, axis) => axis).filter((axis) => axis !== place);
  return transpose(e, reshape(e, value, split), [place, ...order]);
}

type Adding = (e: Emit, node: GraphNode, inputs: readonly Value[], places: readonly Place[]) => Value | undefined;

const result = (e: Emit, value: Value, { shape }: GraphNode): Value => reshape(e, value, ['batch', ...shape]);

const adding: Readonly<Record<string, Adding>> = {
  reduceSum: (e, node, [x], [place]) => {
    if (x === undefined || typeof place !== 'number') return undefined;
    // The examples' axis is split in two and goes to the front; the part that it was merged with stays where it was.
    const axes = axesAttribute(node.attributes, 'axes').map((axis) => axis + 1);
    return result(e, reduceSum(e, inFront(e, x, place), axes), node);
  },
  matmul: (e, node, [a, b], [placeA, placeB]) => {
    if (a === undefined || b === undefined || typeof placeA !== 'number' || typeof placeB !== 'number') return undefined;
    const [transA, transB] = [flagAttribute(node.attributes, 'transA'), flagAttribute(node.attributes, 'transB')];
    const contractsA = placeA === a.shape.length - (transA ? 2 : 1);
    const contractsB = placeB === b.shape.length - (transB ? 1 : 2);
    if (!contractsA || !contractsB) return undefined;
    const [left, right] = [inFront(e, a, placeA), inFront(e, b, placeB)];
    const rank = Math.max(left.shape.length, right.shape.length);
    return result(e, matmul(e, padded(e, left, rank), padded(e, right, rank), { transA, transB }), node);
  },
  convWeightGradient: (e, node, [x, y], [placeX, placeY]) =>
    x === undefined || y === undefined || placeX !== 0 || placeY !== 0 ? undefined : kernelGradients(e, node, x, y),
  scatterAdd: (e, node, [updates, indices], [placeUpdates, placeIndices]) => {
    const axis = numberAttribute(node.attributes, 'axis');
    const size = shapeAttribute(node.attributes, 'size')[0];
    if (updates === undefined || indices === undefined || axis !== 0 || placeIndices !== 0) return undefined;
    if (placeUpdates !== 0 || typeof size !== 'number') return undefined;
    // Each example has a table of its own, all of them one below the other.
    const flat = [...indices.shape];
    const split: Dim[] = ['batch', factorOf(flat[0] ?? 1), ...flat.slice(1)];
    const ones = split.slice(1).map(() => 1);
    const whole = e.constant([], Float64Array.of(size), 'int64');
    const starts = reshape(e, mul(e, countingTo(e, 'batch'), whole), ['batch', ...ones]);
    const moved = reshape(e, add(e, reshape(e, indices, split), starts), flat);
    return result(e, scatterAdd(e, updates, moved, 0, freeDim(size)), node);
  },
};

/** Ones behind the axis of examples. */
function padded(e: Emit, value: Value, rank: number): Value {
  const missing = Array.from({ length: rank - value.shape.length }, () => 1);
  return missing.length === 0 ? value : reshape(e, value, [value.shape[0] ?? 1, ...missing, ...value.shape.slice(1)]);
}

/** For each place of the kernel, y times x as that place sees it: [batch, groups, out, places] × [batch, groups, places, in]. */
function kernelGradients(e: Emit, node: GraphNode, x: Value, y: Value): Value {
  const { groups, strides, pads, dilations } = convOptionsOf(node.attributes);
  const kernel = axesAttribute(node.attributes, 'kernel');
  const [sizes, outputs] = [spatialOf(x.shape), spatialOf(y.shape)];
  const needed = kernel.map((k, axis) => {
    const span = ((outputs[axis] ?? 1) - 1) * (strides[axis] ?? 1) + (k - 1) * (dilations[axis] ?? 1) + 1;
    return Math.max(span, (sizes[axis] ?? 1) + (pads[axis] ?? 0));
  });
  const wide: Shape = [...x.shape.slice(0, 2), ...needed];
  const starts = [0, 0, ...kernel.map((_, axis) => pads[axis] ?? 0)];
  const around = unslice(e, x, wide, { starts, steps: wide.map(() => 1) });
  const area = fixedSize(outputs);
  const [out, inGroup] = [Number(node.shape[0]) / groups, Number(node.shape[1])];
  const left = reshape(e, y, ['batch', groups, out, area]);
  const places = kernel.reduce<number[][]>(
    (known, k) => known.flatMap((place) => Array.from({ length: k }, (_, i) => [...place, i])),
    [[]],
  );
  const products = places.map((place) => {
    const seen = place.reduce(
      (cut, k, axis) => sliceAlong(e, cut, axis + 2, k * (dilations[axis] ?? 1), outputs[axis] ?? 1, strides[axis] ?? 1),
      around,
    );
    const product = matmul(e, left, reshape(e, seen, ['batch', groups, inGroup, area]), { transB: true });
    return reshape(e, product, ['batch', groups * out, inGroup, 1]);
  });
  return result(e, products.length === 1 ? products[0]! : concat(e, products, 3), node);
}

/** With as many axes behind the examples as the result has, so that broadcasting aligns the examples. */
function ranked(e: Emit, { value, lifted }: Each, rank: number): Value {
  if (!lifted) return value;
  const [first = 1, ...rest] = value.shape;
  const missing = Array.from({ length: rank - rest.length }, () => 1);
  return missing.length === 0 ? value : reshape(e, value, [first, ...missing, ...rest]);
}

type Lifting = (e: Emit, node: GraphNode, inputs: readonly Each[]) => Value | undefined;

const lifting: Readonly<Record<string, Lifting>> = {
  reshape: (e, node, [x]) => x && result(e, x.value, node),
  expand: (e, node, [x]) => x && e.apply('expand', [ranked(e, x, node.shape.length)], { shape: ['batch', ...node.shape] }),
  transpose: (e, node, [x]) =>
    x && transpose(e, x.value, [0, ...axesAttribute(node.attributes, 'permutation').map((axis) => axis + 1)]),
  reduceSum: (e, node, [x]) =>
    x &&
    reduceSum(
      e,
      x.value,
      axesAttribute(node.attributes, 'axes').map((axis) => axis + 1),
      flagAttribute(node.attributes, 'keepDims'),
    ),
  matmul: (e, node, [a, b]) => {
    if (a === undefined || b === undefined) return undefined;
    const rank = Math.max(a.value.shape.length - (a.lifted ? 1 : 0), b.value.shape.length - (b.lifted ? 1 : 0));
    const options = { transA: flagAttribute(node.attributes, 'transA'), transB: flagAttribute(node.attributes, 'transB') };
    return matmul(e, ranked(e, a, rank), ranked(e, b, rank), options);
  },
  concat: (e, node, inputs) =>
    concat(
      e,
      inputs.map(({ value, lifted }) => (lifted ? value : e.apply('expand', [value], { shape: ['batch', ...value.shape] }))),
      numberAttribute(node.attributes, 'axis') + 1,
    ),
  slice: (e, node, [x]) =>
    x &&
    e.apply('slice', [x.value], {
      starts: [0, ...axesAttribute(node.attributes, 'starts')],
      sizes: ['batch', ...shapeAttribute(node.attributes, 'sizes')],
      steps: [1, ...axesAttribute(node.attributes, 'steps')],
    }),
  unslice: (e, node, [x]) =>
    x &&
    unslice(e, x.value, ['batch', ...shapeAttribute(node.attributes, 'shape')], {
      starts: [0, ...axesAttribute(node.attributes, 'starts')],
      steps: [1, ...axesAttribute(node.attributes, 'steps')],
    }),
};
