/** Functions for convolutions and poolings. Tensors are [examples, channels, …space], kernels [out, in / groups, …space]. */
import type { Emit, Value } from '../op.js';
import type { Sliding, Windows } from '../ops/windows.js';

export interface ConvOptions extends Sliding {
  readonly groups: number;
}

const attributesOf = ({ strides, pads, dilations, groups }: ConvOptions): Record<string, number | readonly number[]> => ({
  strides: [...strides],
  pads: [...pads],
  dilations: [...dilations],
  groups,
});

/** As networks call it: the kernel is not turned around. */
export const conv = (e: Emit, x: Value, kernel: Value, options: ConvOptions): Value =>
  e.apply('conv', [x, kernel], attributesOf(options));

/** The adjoint of `conv` in x, which has these sizes; also what is called a transposed convolution. */
export const convInputGradient = (e: Emit, y: Value, kernel: Value, size: readonly number[], options: ConvOptions): Value =>
  e.apply('convInputGradient', [y, kernel], { ...attributesOf(options), size: [...size] });

/** The adjoint of `conv` in the kernel, which has these sizes. */
export const convWeightGradient = (e: Emit, x: Value, y: Value, kernel: readonly number[], options: ConvOptions): Value =>
  e.apply('convWeightGradient', [x, y], { ...attributesOf(options), kernel: [...kernel] });

const windowAttributes = ({ kernel, strides, pads, dilations }: Windows): Record<string, readonly number[]> => ({
  kernel: [...kernel],
  strides: [...strides],
  pads: [...pads],
  dilations: [...dilations],
});

/** The largest of each window; padding does not count. */
export const maxPool = (e: Emit, x: Value, windows: Windows): Value => e.apply('maxPool', [x], windowAttributes(windows));

/** Where each window has its first largest element, counted through all spatial axes. */
export const maxPoolIndex = (e: Emit, x: Value, windows: Windows): Value =>
  e.apply('maxPoolIndex', [x], windowAttributes(windows));

/** The sum of each window over the number of its places; padding counts as zeros. */
export const averagePool = (e: Emit, x: Value, windows: Windows): Value => e.apply('averagePool', [x], windowAttributes(windows));

/** The adjoint of `averagePool`, whose input has these sizes. */
export const averagePoolGradient = (e: Emit, y: Value, size: readonly number[], windows: Windows): Value =>
  e.apply('averagePoolGradient', [y], { ...windowAttributes(windows), size: [...size] });

/** The value of the first with the derivatives of the second, where both are ways to compute the same. */
export const standIn = (e: Emit, value: Value, derivatives: Value): Value => e.apply('standIn', [value, derivatives]);
