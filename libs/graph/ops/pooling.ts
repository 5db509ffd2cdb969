/** What the poolings share. */
import type { Shape } from '../graph.js';
import type { OnnxAttribute } from '../op.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { elements } from '../reference-tensor.js';
import { fixedSize } from '../shapes.js';
import { outputSizes, slidingWork, spatialOf, tapsOf } from './windows.js';
import type { Windows } from './windows.js';

export const pooledShape = (x: Shape, windows: Windows): Shape => [...x.slice(0, 2), ...outputSizes(spatialOf(x), windows)];

export const poolingWork = (outputs: Shape, { kernel }: Windows): number =>
  slidingWork(spatialOf(outputs), kernel, fixedSize(outputs.slice(0, 2)));

export const onnxPoolAttributes = ({ kernel, strides, pads, dilations }: Windows): Record<string, OnnxAttribute> => ({
  kernel_shape: { ints: kernel },
  strides: { ints: strides },
  pads: { ints: pads },
  ...(dilations.some((dilation) => dilation !== 1) && { dilations: { ints: dilations } }),
});

/** For each window the place of its first largest element in x; a NaN is larger than everything. */
export function largestOf(
  x: ReferenceTensor,
  windows: Windows,
  shape: readonly number[],
): { readonly places: Int32Array; readonly perChannel: number } {
  const [space, outputs] = [x.shape.slice(2), shape.slice(2)];
  const taps = tapsOf(space, outputs, windows);
  const [perChannel, perResult] = [elements(space), elements(outputs)];
  const places = new Int32Array(elements(shape)).fill(-1);
  const channels = elements(shape.slice(0, 2));
  for (let channel = 0; channel < channels; channel++) {
    for (let t = 0; t < taps.input.length; t++) {
      const place = channel * perChannel + (taps.input[t] ?? 0);
      const result = channel * perResult + (taps.output[t] ?? 0);
      const before = places[result] ?? -1;
      const value = x.data[place] ?? Number.NaN;
      if (before < 0 || value > (x.data[before] ?? Number.NaN) || Number.isNaN(value)) places[result] = place;
    }
  }
  return { places, perChannel };
}

/** Adds up windows (or spreads them) over all examples and channels. */
export function alongTaps(
  from: ReferenceTensor,
  shape: readonly number[],
  [read, write]: readonly [Int32Array, Int32Array],
  factor: number,
): Float64Array {
  const [perInput, perOutput] = [elements(from.shape.slice(2)), elements(shape.slice(2))];
  const result = new Float64Array(elements(shape));
  for (let channel = 0; channel < elements(shape.slice(0, 2)); channel++) {
    for (let t = 0; t < read.length; t++) {
      const place = channel * perOutput + (write[t] ?? 0);
      result[place] = (result[place] ?? 0) + factor * (from.data[channel * perInput + (read[t] ?? 0)] ?? Number.NaN);
    }
  }
  return result;
}
