/** The geometry that convolutions and poolings share: windows that slide over the axes behind examples and channels. */
import { UnsupportedModel } from '../errors.js';
import type { Attributes, Shape } from '../graph.js';
import { axesAttribute } from '../op.js';
import { elements } from '../reference-tensor.js';
import { isFree, showShape } from '../shapes.js';

/** One number for each spatial axis; `pads` first those in front of each axis and then those behind, as ONNX has them. */
export interface Sliding {
  readonly strides: readonly number[];
  readonly pads: readonly number[];
  readonly dilations: readonly number[];
}

export interface Windows extends Sliding {
  readonly kernel: readonly number[];
}

export const slidingOf = (attributes: Attributes): Sliding => ({
  strides: axesAttribute(attributes, 'strides'),
  pads: axesAttribute(attributes, 'pads'),
  dilations: axesAttribute(attributes, 'dilations'),
});

export const windowsOf = (attributes: Attributes): Windows => ({
  ...slidingOf(attributes),
  kernel: axesAttribute(attributes, 'kernel'),
});

/** Elements from the first to the last that a window touches along an axis. */
export const reachOf = ({ kernel, dilations }: Windows, axis: number): number =>
  ((kernel[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;

/** The axes behind examples and channels. */
export function spatialOf(shape: Shape): readonly number[] {
  const space = shape.slice(2);
  if (space.length > 0 && !space.some(isFree)) return space as readonly number[];
  throw new UnsupportedModel(`Windows slide over a tensor of shape ${showShape(shape)}`, {
    value: showShape(shape),
    expected: 'examples, channels, and one to three axes of known size',
  });
}

const positive = (value: number | undefined): boolean => Number.isInteger(value) && (value ?? 0) > 0;

function checkWindows(size: readonly number[], windows: Windows): void {
  const { kernel, strides, pads, dilations } = windows;
  const fits =
    kernel.length === size.length &&
    pads.length === 2 * size.length &&
    size.every((_, axis) => [kernel[axis], strides[axis], dilations[axis]].every(positive)) &&
    pads.every((pad) => Number.isInteger(pad) && pad >= 0);
  if (fits) return;
  throw new UnsupportedModel(`Windows of ${showShape(kernel)} over ${showShape(size)}`, {
    value: `strides ${showShape(strides)}, pads ${showShape(pads)}, dilations ${showShape(dilations)}`,
    expected: 'a kernel, strides and dilations of at least 1 for each axis, and two pads that are not negative',
  });
}

/** How many windows there are along each axis. */
export function outputSizes(size: readonly number[], windows: Windows): number[] {
  checkWindows(size, windows);
  const { strides, pads } = windows;
  return size.map((length, axis) => {
    const room = length + (pads[axis] ?? 0) + (pads[axis + size.length] ?? 0) - reachOf(windows, axis);
    if (room >= 0) return Math.floor(room / (strides[axis] ?? 1)) + 1;
    throw new UnsupportedModel(`A window of ${reachOf(windows, axis)} does not fit into an axis of ${length}`, {
      value: showShape(size),
      expected: `at least ${reachOf(windows, axis)} elements with their padding`,
    });
  });
}

/** The places at which an element of the input meets one of the kernel and one of the output: offsets among spatial elements. */
export interface Taps {
  readonly input: Int32Array;
  readonly kernel: Int32Array;
  readonly output: Int32Array;
}

/** How many multiplications a place at which three elements meet is worth, which becomes an object on its way. */
const STEPS_PER_TAP = 32;

/** Steps of what slides windows over space: all pairs of an output and an element of the kernel, for so many pairs of channels. */
export const slidingWork = (outputs: readonly number[], kernel: readonly number[], channelPairs: number): number =>
  elements(outputs) * elements(kernel) * (channelPairs + STEPS_PER_TAP);

/** Padding is left out. For each output the kernel's elements come in order. */
export function tapsOf(size: readonly number[], outputs: readonly number[], windows: Windows): Taps {
  let taps: { readonly input: number; readonly kernel: number; readonly output: number }[] = [{ input: 0, kernel: 0, output: 0 }];
  for (const [axis, length] of size.entries()) {
    const [count, width] = [outputs[axis] ?? 1, windows.kernel[axis] ?? 1];
    const along: [input: number, kernel: number, output: number][] = [];
    for (let o = 0; o < count; o++) {
      for (let k = 0; k < width; k++) {
        const i = o * (windows.strides[axis] ?? 1) + k * (windows.dilations[axis] ?? 1) - (windows.pads[axis] ?? 0);
        if (i >= 0 && i < length) along.push([i, k, o]);
      }
    }
    taps = taps.flatMap((tap) =>
      along.map(([i, k, o]) => ({
        input: tap.input * length + i,
        kernel: tap.kernel * width + k,
        output: tap.output * count + o,
      })),
    );
  }
  return {
    input: Int32Array.from(taps, (tap) => tap.input),
    kernel: Int32Array.from(taps, (tap) => tap.kernel),
    output: Int32Array.from(taps, (tap) => tap.output),
  };
}
