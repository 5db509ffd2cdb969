/**
 * What the three convolutions share. The sum Σ y[n, m, o] x[n, c, o·stride + k·dilation − pad] w[m, c, k] is linear in each of
 * x, w and y: `conv` is its derivative by y, `convInputGradient` by x and `convWeightGradient` by w. So the derivatives of
 * each of them are the two others.
 */
import type { ConvOptions } from '../emit/convolution.js';
import { UnsupportedModel } from '../errors.js';
import type { Attributes, Dim, Shape } from '../graph.js';
import { numberAttribute } from '../op.js';
import { elements } from '../reference-tensor.js';
import { factorOf, fixedSize, sameShape, showShape } from '../shapes.js';
import { outputSizes, slidingOf, slidingWork, spatialOf, tapsOf } from './windows.js';
import type { Windows } from './windows.js';

export const convOptionsOf = (attributes: Attributes): ConvOptions => ({
  ...slidingOf(attributes),
  groups: numberAttribute(attributes, 'groups'),
});

/** Throws where the three shapes do not belong together. */
export function checkTriple(x: Shape, kernel: Shape, y: Shape, options: ConvOptions): void {
  const { groups } = options;
  const windows: Windows = { ...options, kernel: spatialOf(kernel) };
  const [channels, inGroup, results] = [x[1], kernel[1], kernel[0]];
  const fits =
    x.length === kernel.length &&
    x[0] === y[0] &&
    y[1] === results &&
    typeof inGroup === 'number' &&
    channels === inGroup * groups &&
    Number.isInteger(Number(results) / groups) &&
    sameShape(outputSizes(spatialOf(x), windows), spatialOf(y));
  if (fits) return;
  throw new UnsupportedModel(`A convolution of ${showShape(x)} with a kernel of ${showShape(kernel)} to ${showShape(y)}`, {
    value: `${groups} groups, strides ${showShape(options.strides)}, pads ${showShape(options.pads)}, dilations ${showShape(options.dilations)}`,
    expected: 'channels, groups and sizes that fit together',
  });
}

export function convolvedShape(x: Shape, kernel: Shape, options: ConvOptions): Shape {
  const windows: Windows = { ...options, kernel: spatialOf(kernel) };
  const space: Dim[] = x.length === kernel.length ? outputSizes(spatialOf(x), windows) : [];
  return [x[0] ?? 1, kernel[0] ?? 1, ...space];
}

/** Multiplications of each of the three: the same. */
export const convolutionWork = (kernel: Shape, y: Shape): number =>
  slidingWork(spatialOf(y), spatialOf(kernel), fixedSize(y.slice(0, 2)) * factorOf(kernel[1] ?? 1));

interface Operand {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Adds the sum's derivative by one of the three into that one's data. */
export function accumulate(
  by: 'x' | 'kernel' | 'y',
  x: Operand,
  kernel: Operand,
  y: Operand,
  options: ConvOptions,
): Float64Array {
  const { groups } = options;
  const [sizeX, sizeK, sizeY] = [x.shape.slice(2), kernel.shape.slice(2), y.shape.slice(2)];
  const taps = tapsOf(sizeX, sizeY, { ...options, kernel: sizeK });
  const [stepX, stepK, stepY] = [elements(sizeX), elements(sizeK), elements(sizeY)];
  const [examples = 0, channels = 0] = x.shape;
  const [results = 0, inGroup = 0] = kernel.shape;
  const outGroup = results / groups;
  for (let n = 0; n < examples; n++) {
    for (let m = 0; m < results; m++) {
      for (let c = 0; c < inGroup; c++) {
        const atX = (n * channels + Math.floor(m / outGroup) * inGroup + c) * stepX;
        const atK = (m * inGroup + c) * stepK;
        const atY = (n * results + m) * stepY;
        for (let t = 0; t < taps.input.length; t++) {
          const [i, k, o] = [atX + (taps.input[t] ?? 0), atK + (taps.kernel[t] ?? 0), atY + (taps.output[t] ?? 0)];
          if (by === 'y') y.data[o] = (y.data[o] ?? 0) + (x.data[i] ?? Number.NaN) * (kernel.data[k] ?? Number.NaN);
          else if (by === 'x') x.data[i] = (x.data[i] ?? 0) + (y.data[o] ?? Number.NaN) * (kernel.data[k] ?? Number.NaN);
          else kernel.data[k] = (kernel.data[k] ?? 0) + (x.data[i] ?? Number.NaN) * (y.data[o] ?? Number.NaN);
        }
      }
    }
  }
  return { x, kernel, y }[by].data;
}

export const zerosOf = (shape: readonly number[]): Operand => ({ shape, data: new Float64Array(elements(shape)) });
