/** Operators that cut, join, repeat and pad. */
import { expand, reshape, transpose } from '../../emit.js';
import { concat, filled, slice, sliceAlong, tile, unslice, wholeOf } from '../../emit/shape.js';
import type { Dim, Shape } from '../../graph.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { factorOf, isFree, normalizeAxis, showShape } from '../../shapes.js';

/** What exporters write for "to the end", as 32 bits or as 64. */
const TO_THE_END = 2 ** 31 - 1;

/** A list that is an input since some opset and an attribute before. */
const listOf = (node: OnnxNode, index: number, name: string): Shape | undefined =>
  node.has(index) ? node.sizes(index) : node.ints(name);

interface Part {
  readonly start: number;
  readonly size: Dim;
  readonly step: number;
}

/** A bound that is a multiple of the number of examples is past the end if already one example makes it so. */
function fixedBound(node: OnnxNode, bound: Dim, dim: number): number {
  if (!isFree(bound)) return bound < 0 ? bound + dim : bound;
  if (factorOf(bound) >= dim) return dim;
  throw node.unsupported(`a cut of an axis of ${dim} at ${bound}`, 'bounds that do not depend on the number of examples');
}

/** ONNX clamps the bounds to the axis. */
function partOf(node: OnnxNode, dim: Dim, start: Dim, end: Dim, step: number): Part {
  if (isFree(dim)) {
    const isWhole = isFree(end) ? factorOf(end) >= factorOf(dim) : end >= TO_THE_END;
    if (start === 0 && step === 1 && isWhole) return { start: 0, size: dim, step: 1 };
    throw node.unsupported(
      `a part of the axis of the examples (${start} to ${end}, step ${step})`,
      'all examples in their order',
    );
  }
  if (step === 0) throw node.unsupported('a step of 0', 'another step');
  const [lowest, highest] = step > 0 ? [0, dim] : [-1, dim - 1];
  const clamp = (bound: Dim): number => Math.min(Math.max(fixedBound(node, bound, dim), lowest), highest);
  const [first, last] = [Math.max(clamp(start), 0), clamp(end)];
  const size = Math.max(0, Math.ceil((last - first) / step));
  return size === 0 ? { start: 0, size, step: 1 } : { start: first, size, step };
}

const readSlice: OnnxReader = (e, node) => {
  const x = node.input(0);
  const [starts, ends] = [listOf(node, 1, 'starts') ?? [], listOf(node, 2, 'ends') ?? []];
  const axes = listOf(node, 3, 'axes') ?? starts.map((_, i) => i);
  const steps = node.has(4) ? node.sizes(4) : starts.map(() => 1);
  const cut = wholeOf(x.shape);
  for (const [i, given] of axes.entries()) {
    const axis = normalizeAxis(Number(given), x.shape.length);
    const part = partOf(node, at(x.shape, axis), at(starts, i), at(ends, i), Number(at(steps, i)));
    cut.starts[axis] = part.start;
    cut.sizes[axis] = part.size;
    cut.steps[axis] = part.step;
  }
  return slice(e, x, cut);
};

/** As equal as can be: the last may be smaller. */
function equalParts(dim: number, count: number): number[] {
  const size = Math.ceil(dim / count);
  return Array.from({ length: count }, (_, i) => Math.max(0, Math.min(size, dim - i * size)));
}

const readSplit: OnnxReader = (e, node) => {
  const x = node.input(0);
  const axis = normalizeAxis(node.int('axis', 0), x.shape.length);
  const dim = at(x.shape, axis);
  const count = node.int('num_outputs', node.outputCount);
  const given = listOf(node, 1, 'split');
  if (isFree(dim)) {
    if (count === 1) return [x];
    throw node.unsupported('the axis of the examples is split', 'another axis');
  }
  const sizes = (given ?? equalParts(dim, count)).map(Number);
  if (sizes.reduce((sum, size) => sum + size, 0) !== dim) {
    throw node.unsupported(`parts of ${sizes.join(', ')} of an axis of ${dim}`, `parts that add up to ${dim}`);
  }
  let start = 0;
  return sizes.map((size) => sliceAlong(e, x, axis, (start += size) - size, size));
};

type Fill = (e: Emit, node: OnnxNode, x: Value, axis: number, count: number, atEnd: boolean) => Value;

const sized = (shape: Shape, axis: number, size: number): Shape => shape.map((dim, i) => (i === axis ? size : dim));

/** What stands before or behind x along one axis. */
const fills: Readonly<Record<string, Fill>> = {
  constant: (e, node, x, axis, count) => filled(e, sized(x.shape, axis, count), padNumber(node), x.dtype),
  edge: (e, _node, x, axis, count, atEnd) =>
    expand(e, sliceAlong(e, x, axis, atEnd ? Number(x.shape[axis]) - 1 : 0, 1), sized(x.shape, axis, count)),
  reflect: (e, _node, x, axis, count, atEnd) => sliceAlong(e, x, axis, atEnd ? Number(x.shape[axis]) - 2 : count, count, -1),
  wrap: (e, _node, x, axis, count, atEnd) => sliceAlong(e, x, axis, atEnd ? 0 : Number(x.shape[axis]) - count, count),
};

const padNumber = (node: OnnxNode): number => (node.has(2) ? node.number(2) : node.float('value', 0));

/** How much is added before and behind each axis; negative numbers cut off. */
function padsOf(node: OnnxNode, rank: number): { before: number[]; behind: number[] } {
  const pads = (listOf(node, 1, 'pads') ?? []).map(Number);
  const axes = node.has(3)
    ? node.sizes(3).map((axis) => normalizeAxis(Number(axis), rank))
    : Array.from({ length: rank }, (_, i) => i);
  if (pads.length !== 2 * axes.length || (!node.has(3) && axes.length !== rank)) {
    throw node.unsupported(`${pads.length} pads of ${rank} axes`, 'two for each axis');
  }
  const [before, behind] = [Array.from({ length: rank }, () => 0), Array.from({ length: rank }, () => 0)];
  for (const [i, axis] of axes.entries()) {
    before[axis] = at(pads, i);
    behind[axis] = at(pads, i + axes.length);
  }
  return { before, behind };
}

const readPad: OnnxReader = (e, node) => {
  const given = node.input(0);
  const mode = node.text('mode', 'constant');
  const fill = fills[mode];
  if (fill === undefined) throw node.unsupported(`the mode '${mode}'`, `one of ${Object.keys(fills).join(', ')}`);
  const { before, behind } = padsOf(node, given.shape.length);
  const cut = wholeOf(given.shape);
  given.shape.forEach((dim, axis) => {
    const [first, last] = [at(before, axis), at(behind, axis)];
    if (first === 0 && last === 0) return;
    if (isFree(dim)) throw node.unsupported('padding of the axis of the examples', 'another axis');
    cut.starts[axis] = Math.max(0, -first);
    cut.sizes[axis] = dim + Math.min(0, first) + Math.min(0, last);
  });
  const x = slice(e, given, cut);
  const added = (list: readonly number[]): number[] => list.map((count) => Math.max(0, count));
  const [front, back] = [added(before), added(behind)];
  if (mode === 'constant' && x.dtype === 'float32' && padNumber(node) === 0) {
    const shape = x.shape.map((dim, axis) => (isFree(dim) ? dim : dim + at(front, axis) + at(back, axis)));
    return unslice(e, x, shape, { starts: front, steps: front.map(() => 1) });
  }
  return x.shape.reduce((padded, _, axis) => {
    const parts = [at(front, axis) > 0 && fill(e, node, padded, axis, at(front, axis), false), padded];
    if (at(back, axis) > 0) parts.push(fill(e, node, padded, axis, at(back, axis), true));
    return concat(e, parts.filter(isValue), axis);
  }, x);
};

const isValue = (part: Value | false): part is Value => part !== false;

const readTile: OnnxReader = (e, node) => {
  const x = node.input(0);
  const repeats = node.sizes(1);
  if (repeats.length !== x.shape.length)
    throw node.unsupported(`${repeats.length} repeats of ${showShape(x.shape)}`, 'one for each axis');
  return tile(e, x, repeats);
};

/** [batch, channels, height, width]; the blocks lie in front of the channels (DCR) or behind them (CRD). */
const readDepthToSpace: OnnxReader = (e, node) => {
  const x = node.input(0);
  const block = node.int('blocksize', 1);
  const [examples, height, width] = [at(x.shape, 0), Number(x.shape[2]), Number(x.shape[3])];
  const channels = Number(x.shape[1]) / (block * block);
  const isCrd = node.text('mode', 'DCR') === 'CRD';
  const apart = reshape(e, x, [examples, ...(isCrd ? [channels, block, block] : [block, block, channels]), height, width]);
  const woven = transpose(e, apart, isCrd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]);
  return reshape(e, woven, [examples, channels, height * block, width * block]);
};

const readSpaceToDepth: OnnxReader = (e, node) => {
  const x = node.input(0);
  const block = node.int('blocksize', 1);
  const [examples, channels] = [at(x.shape, 0), Number(x.shape[1])];
  const [height, width] = [Number(x.shape[2]) / block, Number(x.shape[3]) / block];
  const apart = reshape(e, x, [examples, channels, height, block, width, block]);
  return reshape(e, transpose(e, apart, [0, 3, 5, 1, 2, 4]), [examples, channels * block * block, height, width]);
};

export const cuttingReaders: Readonly<Record<string, OnnxReader>> = {
  DepthToSpace: readDepthToSpace,
  Pad: readPad,
  Slice: readSlice,
  SpaceToDepth: readSpaceToDepth,
  Split: readSplit,
  Tile: readTile,
};
