/** Resizing is linear in the image: along each axis a product with a matrix that is known while importing. */
import { matmul, reshape, transpose } from '../../emit.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { tiled } from '../../ops/average-pool-gradient.js';
import { fixedSize, isFree, mergedDim, showShape } from '../../shapes.js';

interface Scale {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
}

interface Way {
  readonly mode: string;
  readonly coordinates: string;
  readonly rounding: string;
  readonly cubicA: number;
  readonly excludeOutside: boolean;
}

/** Where element `i` of the result lies among the elements of the input. */
function sourceOf(i: number, { from, to, scale }: Scale, coordinates: string, node: OnnxNode): number {
  switch (coordinates) {
    case 'asymmetric':
      return i / scale;
    case 'align_corners':
      return to === 1 ? 0 : (i * (from - 1)) / (to - 1);
    case 'half_pixel':
      return (i + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return to > 1 ? (i + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const adjustment = to / (from * scale);
      return (from / 2) * (1 - adjustment) + (i + 0.5) / scale - 0.5;
    }
    default:
      throw node.unsupported(`coordinates '${coordinates}'`, 'asymmetric, align_corners, half_pixel or pytorch_half_pixel');
  }
}

function rounded(x: number, rounding: string): number {
  switch (rounding) {
    case 'floor':
      return Math.floor(x);
    case 'ceil':
      return Math.ceil(x);
    case 'round_prefer_ceil':
      return Math.floor(x + 0.5);
    default:
      return Math.ceil(x - 0.5);
  }
}

/** Cubic convolution (Keys 1981). */
function cubic(distance: number, a: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

/** The elements around `x` with their weights; those outside are the edge's. */
function neighbours(x: number, way: Way, from: number): readonly (readonly [place: number, weight: number])[] {
  if (way.mode === 'nearest') return [[rounded(x, way.rounding), 1]];
  const first = Math.floor(x);
  if (way.mode === 'linear')
    return [
      [first, 1 - (x - first)],
      [first + 1, x - first],
    ];
  const around = [-1, 0, 1, 2].map((offset) => [first + offset, cubic(x - first - offset, way.cubicA)] as const);
  if (!way.excludeOutside) return around;
  const inside = around.filter(([place]) => place >= 0 && place < from);
  const total = inside.reduce((sum, [, weight]) => sum + weight, 0);
  return inside.map(([place, weight]) => [place, weight / total] as const);
}

/** [to, from] */
function matrixOf(e: Emit, scale: Scale, way: Way, node: OnnxNode): Value {
  const { from, to } = scale;
  const data = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    for (const [place, weight] of neighbours(sourceOf(i, scale, way.coordinates, node), way, from)) {
      const within = i * from + Math.min(from - 1, Math.max(0, place));
      data[within] = (data[within] ?? 0) + weight;
    }
  }
  return e.constant([to, from], data);
}

/** True where each element of the input is repeated equally often. */
function isRepeated(matrix: Value, { from, to }: Scale): boolean {
  const { source } = matrix;
  const times = to / from;
  if (source.kind !== 'constant' || !Number.isInteger(times)) return false;
  return source.data.every((weight, i) => weight === (i % from === Math.floor(Math.floor(i / from) / times) ? 1 : 0));
}

/** The matrix times x along one axis. */
function along(e: Emit, x: Value, axis: number, matrix: Value): Value {
  const last = x.shape.length - 1;
  if (axis === last) return matmul(e, x, matrix, { transB: true });
  const behind = mergedDim(x.shape.slice(axis + 1));
  if (behind === undefined || isFree(behind)) {
    const swap = x.shape.map((_, i) => (i === axis ? last : i === last ? axis : i));
    return transpose(e, matmul(e, transpose(e, x, swap), matrix, { transB: true }), swap);
  }
  const rows = matmul(e, matrix, reshape(e, x, [...x.shape.slice(0, axis + 1), fixedSize(x.shape.slice(axis + 1))]));
  return reshape(e, rows, [...x.shape.slice(0, axis), at(matrix.shape, 0), ...x.shape.slice(axis + 1)]);
}

/** Constants of an input that may be left out or empty. */
function numbersAt(node: OnnxNode, index: number): readonly number[] | undefined {
  if (!node.has(index)) return undefined;
  const { source } = node.input(index);
  if (source.kind !== 'constant') throw node.unsupported(`input ${index} is not known before the model runs`, 'a known scale');
  return source.data.length === 0 ? undefined : [...source.data];
}

/** All axes, or those that `axes` names. */
function onAxes<T>(node: OnnxNode, values: readonly T[] | undefined, rank: number, untouched: T): readonly T[] | undefined {
  const axes = node.ints('axes');
  if (values === undefined || axes === undefined) return values;
  const places = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  return Array.from({ length: rank }, (_, axis) => values[places.indexOf(axis)] ?? untouched);
}

function scalesOf(node: OnnxNode, x: Value, inputs: { readonly scales: number; readonly sizes?: number }): (Scale | undefined)[] {
  const rank = x.shape.length;
  const scales = onAxes(node, numbersAt(node, inputs.scales), rank, 1);
  const hasSizes = scales === undefined && inputs.sizes !== undefined && node.has(inputs.sizes);
  const sizes = hasSizes ? onAxes(node, node.sizes(inputs.sizes ?? 0), rank, 0) : undefined;
  if (scales === undefined && sizes === undefined) throw node.unsupported('it has neither scales nor sizes');
  if (node.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch') throw node.unsupported('a kept aspect ratio', 'stretch');
  return x.shape.map((dim, axis): Scale | undefined => {
    const wanted = sizes?.[axis];
    if ((scales?.[axis] ?? 1) === 1 && (wanted === undefined || wanted === dim || wanted === 0)) return undefined;
    // Written with the number of examples that the exporter saw.
    if (isFree(dim) && sizes !== undefined) return undefined;
    if (isFree(dim) || isFree(wanted)) throw node.unsupported(`resizing the examples' axis of ${showShape(x.shape)}`);
    const scale = scales?.[axis] ?? Number(wanted) / dim;
    return { from: dim, to: wanted ?? Math.floor(Math.fround(dim * scale)), scale };
  });
}

function resized(e: Emit, node: OnnxNode, x: Value, scales: readonly (Scale | undefined)[], way: Way): Value {
  if (!['nearest', 'linear', 'cubic'].includes(way.mode))
    throw node.unsupported(`the mode '${way.mode}'`, 'nearest, linear or cubic');
  const matrices = scales.map((scale) => scale && matrixOf(e, scale, way, node));
  const space = scales.slice(2);
  const repeated = space.every((scale, i) => {
    const matrix = matrices[i + 2];
    return scale === undefined || (matrix !== undefined && isRepeated(matrix, scale));
  });
  const inFront = matrices[0] !== undefined || matrices[1] !== undefined;
  if (repeated && !inFront && space.length > 0)
    return tiled(
      e,
      x,
      space.map((scale) => (scale ? scale.to / scale.from : 1)),
    );
  return matrices.reduce<Value>((part, matrix, axis) => (matrix ? along(e, part, axis, matrix) : part), x);
}

const resize: OnnxReader = (e, node) => {
  const x = node.input(0);
  if (node.int('antialias', 0) === 1) throw node.unsupported('resizing with antialiasing', 'antialias 0');
  const old = node.opset < 11;
  const scales = scalesOf(node, x, old ? { scales: 1 } : { scales: 2, sizes: 3 });
  return resized(e, node, x, scales, {
    mode: node.text('mode', 'nearest'),
    coordinates: old ? 'asymmetric' : node.text('coordinate_transformation_mode', 'half_pixel'),
    rounding: old ? 'floor' : node.text('nearest_mode', 'round_prefer_floor'),
    cubicA: node.float('cubic_coeff_a', -0.75),
    excludeOutside: node.int('exclude_outside', 0) === 1,
  });
};

/** The operator before Resize. */
const upsample: OnnxReader = (e, node) => {
  const x = node.input(0);
  const way: Way = {
    mode: node.text('mode', 'nearest'),
    coordinates: 'asymmetric',
    rounding: 'floor',
    cubicA: -0.75,
    excludeOutside: false,
  };
  return resized(e, node, x, scalesOf(node, x, { scales: 1 }), way);
};

export const resizeReaders: Readonly<Record<string, OnnxReader>> = { Resize: resize, Upsample: upsample };
