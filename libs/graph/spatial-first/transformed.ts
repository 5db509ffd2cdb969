/** A convolution as products of matrices: with patches where its input is data, else between products along the axes. */
import { matmul, mul, reshape, transpose } from '../emit.js';
import type { ConvOptions } from '../emit/convolution.js';
import { concat, slice, unslice, wholeOf } from '../emit/shape.js';
import type { Dim } from '../graph.js';
import type { Emit, Value } from '../op.js';
import { at } from '../op.js';
import { fixedSize, mergedDim } from '../shapes.js';
import { axisAlgorithm } from './along-axis.js';
import type { AxisAlgorithm, AxisWindows } from './along-axis.js';
import { along, queued, settled, sizesOf, toFront } from './held.js';
import type { Held } from './held.js';

export interface Convolution extends ConvOptions {
  /** Of space, in and out. */
  readonly size: readonly number[];
  readonly outputs: readonly number[];
  /** [out, in / groups, …space] */
  readonly kernel: readonly number[];
}

const spaceOf = ({ kernel }: Convolution): readonly number[] => kernel.slice(2);
const isDepthwise = ({ groups, kernel }: Convolution): boolean => groups > 1 && kernel[1] === 1 && kernel[0] === groups;

/** Equal axes share their matrices, so that equal products are made once. */
export class Algorithms {
  readonly #known = new Map<string, AxisAlgorithm | undefined>();

  /** Undefined where the windows are dilated or the channels come in groups of several. */
  of(convolution: Convolution): readonly AxisAlgorithm[] | undefined {
    const { size, outputs, strides, pads, dilations, groups } = convolution;
    if (groups !== 1 && !isDepthwise(convolution)) return undefined;
    const algorithms = spaceOf(convolution).flatMap((kernel, axis) => {
      const windows = {
        size: at(size, axis),
        outputs: at(outputs, axis),
        kernel,
        stride: at(strides, axis),
        dilation: at(dilations, axis),
        padBefore: at(pads, axis),
      };
      return this.#alongAxis(windows, axis === size.length - 1) ?? [];
    });
    return algorithms.length === size.length ? algorithms : undefined;
  }

  #alongAxis(windows: AxisWindows, productFirst: boolean): AxisAlgorithm | undefined {
    const key = JSON.stringify([windows, productFirst]);
    if (!this.#known.has(key)) this.#known.set(key, axisAlgorithm(windows, productFirst));
    return this.#known.get(key);
  }
}

/** Multiplications in a Hessian-vector product, for one example: of the products per point, and along the axes. */
export function costOf(
  convolution: Convolution,
  algorithms: readonly AxisAlgorithm[],
): { readonly plain: number; readonly here: number } {
  const { kernel, groups, size, outputs } = convolution;
  const [results, inGroup] = [at(kernel, 0), at(kernel, 1)];
  const points = algorithms.reduce((product, { tiles, products }) => product * tiles * products, 1);
  const wide = algorithms.map(({ tiles, products }) => tiles * products);
  // Along axis i, those before it are already (or still) wide.
  const onAxes = (narrow: readonly number[]): number =>
    wide.reduce((sum, width, axis) => {
      const isFree = width === narrow[axis] && at(algorithms, axis).products === 1;
      const others = wide.slice(0, axis).reduce((a, b) => a * b, 1) * narrow.slice(axis + 1).reduce((a, b) => a * b, 1);
      return isFree ? sum : sum + width * at(narrow, axis) * others;
    }, 0);
  const ends = 2 * (inGroup * groups * onAxes(size) + results * onAxes(outputs));
  return {
    plain: 6 * fixedSize(outputs) * fixedSize(kernel),
    here: 6 * points * results * inGroup + ends,
  };
}

/** The kernel at the points: […products, out, in]. Its channels stay in their order: turning them around takes long. */
const kernelAtPoints = (e: Emit, kernel: Value, algorithms: readonly AxisAlgorithm[]): Value =>
  algorithms.reduce((part, { weight }, axis) => (weight.rows === 1 ? part : along(e, part, axis, weight)), toFront(e, kernel));

/** The result has a shape of its own only where `Held` would not do: […outputs, examples, channels]. */
export function transformed(
  e: Emit,
  x: Held,
  kernel: Value,
  convolution: Convolution,
  algorithms: readonly AxisAlgorithm[],
): Value {
  const rank = algorithms.length;
  const wide = settled(
    e,
    algorithms.reduce((held, { input }, axis) => queued(held, axis, input), x),
  );
  const [examples, channels] = [at(wide.shape, rank), at(wide.shape, rank + 1)];
  const results = at(convolution.kernel, 0);
  const last = at(algorithms, rank - 1);
  const rowDim = mergedDim([last.tiles, examples]) ?? examples;
  // Tiles of the last axis and examples are the rows of the matrices, one for each point and tile of the other axes.
  const front = algorithms.slice(0, -1).flatMap(({ tiles, products }): Dim[] => [tiles, products]);
  const points = kernelAtPoints(e, kernel, algorithms);
  const pointDims = algorithms.flatMap(({ products }, axis): Dim[] =>
    axis === 0 || axis === rank - 1 ? [products] : [1, products],
  );
  const isPointwise = algorithms.every(({ products }) => products === 1);
  const product = ((): Value => {
    if (isDepthwise(convolution)) {
      return mul(
        e,
        reshape(e, wide, [...front, last.products, rowDim, channels]),
        reshape(e, points, [...pointDims, 1, channels]),
      );
    }
    if (isPointwise) {
      const rows = mergedDim(wide.shape.slice(0, -1)) ?? examples;
      return matmul(e, reshape(e, wide, [rows, channels]), reshape(e, points, [results, channels]), { transB: true });
    }
    return matmul(
      e,
      reshape(e, wide, [...front, last.products, rowDim, channels]),
      reshape(e, points, [...pointDims, results, channels]),
      { transB: true },
    );
  })();
  const still = reshape(e, product, [...algorithms.map(({ tiles, products }) => tiles * products), examples, results]);
  // The last axis first, so that as little as possible is wide.
  return algorithms.reduceRight(
    (part, { output, products }, axis) => (products === 1 ? part : along(e, part, axis, output)),
    still,
  );
}

const placesOf = (kernel: readonly number[]): number[][] =>
  kernel.reduce<number[][]>((all, size) => all.flatMap((place) => Array.from({ length: size }, (_, k) => [...place, k])), [[]]);

/** Of an input that no parameter moves: its patches, made once a snapshot, times the kernel. */
export function fromPatches(e: Emit, x: Held, kernel: Value, convolution: Convolution): Value {
  const { outputs, strides, pads, dilations } = convolution;
  const whole = settled(e, x);
  const rank = outputs.length;
  const size = sizesOf(x);
  const [examples, channels] = [at(whole.shape, rank), at(whole.shape, rank + 1)];
  const space = spaceOf(convolution);
  const spanned = outputs.map((count, axis) => (count - 1) * at(strides, axis) + (at(space, axis) - 1) * at(dilations, axis) + 1);
  const padded = spanned.map((span, axis) => Math.max(span, at(pads, axis) + at(size, axis)));
  const around = unslice(e, whole, [...padded, examples, channels], {
    starts: [...pads.slice(0, rank), 0, 0],
    steps: [...size.map(() => 1), 1, 1],
  });
  const patches = concat(
    e,
    placesOf(space).map((place) =>
      slice(e, around, {
        ...wholeOf(around.shape),
        starts: [...place.map((k, axis) => k * at(dilations, axis)), 0, 0],
        sizes: [...outputs, examples, channels],
        steps: [...strides, 1, 1],
      }),
    ),
    rank + 1,
  );
  const [results, depth] = [at(convolution.kernel, 0), fixedSize(convolution.kernel.slice(1))];
  const columns = transpose(e, kernel, [...space.map((_, axis) => axis + 2), 1, 0]);
  const rows = mergedDim(patches.shape.slice(0, -1)) ?? examples;
  const product = matmul(e, reshape(e, patches, [rows, depth]), reshape(e, columns, [depth, results]));
  return reshape(e, product, [...outputs, examples, results]);
}
