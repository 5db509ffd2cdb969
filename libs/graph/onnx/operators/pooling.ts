import { mul, pow, reduceMean } from '../../emit.js';
import * as emit from '../../emit/convolution.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { elements } from '../../reference-tensor.js';
import { reachOf, spatialOf } from '../../ops/windows.js';
import type { Windows } from '../../ops/windows.js';
import { paddedWindows } from './windows.js';

function kernelOf(node: OnnxNode): readonly number[] {
  const kernel = node.ints('kernel_shape');
  if (kernel === undefined) throw node.unsupported('it has no kernel_shape');
  return kernel;
}

/**
 * With `ceil_mode`, a window more where elements are left; it must begin within the input or the padding in front of it, as
 * PyTorch has it. That window is had by padding behind.
 */
function poolWindows(node: OnnxNode): { readonly windows: Windows; readonly asWritten: Windows } {
  const asWritten = paddedWindows(node, kernelOf(node));
  if (node.int('ceil_mode', 0) === 0) return { windows: asWritten, asWritten };
  const size = spatialOf(node.input(0).shape);
  const rank = size.length;
  const pads = asWritten.pads.map((pad, i) => {
    const axis = i - rank;
    if (axis < 0) return pad;
    const [length, before, stride] = [at(size, axis), at(asWritten.pads, axis), at(asWritten.strides, axis)];
    const reach = reachOf(asWritten, axis);
    const last = Math.ceil((length + before + pad - reach) / stride);
    const kept = last * stride >= length + before ? last - 1 : last;
    return Math.max(pad, kept * stride + reach - length - before);
  });
  return { windows: { ...asWritten, pads }, asWritten };
}

/** Places of window `o` along an axis that lie before `end` and not before `start`. */
function placesWithin(windows: Windows, axis: number, o: number, start: number, end: number): number {
  const first = o * at(windows.strides, axis) - at(windows.pads, axis);
  return Array.from({ length: at(windows.kernel, axis) }, (_, k) => first + k * at(windows.dilations, axis)).filter(
    (place) => place >= start && place < end,
  ).length;
}

/** What the mean over all places is multiplied with so that it is the mean over those that count. */
function corrections(node: OnnxNode, y: Value): { readonly shape: number[]; readonly factors: Float64Array } {
  const { windows, asWritten } = poolWindows(node);
  const size = spatialOf(node.input(0).shape);
  const withPadding = node.int('count_include_pad', 0) === 1;
  const outputs = spatialOf(y.shape);
  const counts = outputs.map((count, axis) => {
    const [before, behind] = [at(asWritten.pads, axis), at(asWritten.pads, axis + size.length)];
    const [start, end] = withPadding ? [-before, at(size, axis) + behind] : [0, at(size, axis)];
    return Array.from({ length: count }, (_, o) => placesWithin(windows, axis, o, start, end) / at(windows.kernel, axis));
  });
  const factors = counts.reduce<number[]>((all, along) => all.flatMap((a) => along.map((b) => a * b)), [1]);
  return { shape: [1, 1, ...outputs], factors: Float64Array.from(factors, (share) => 1 / share) };
}

const maxPool: OnnxReader = (e, node) => {
  if (node.int('storage_order', 0) !== 0) throw node.unsupported('indices in column-major order', 'storage_order 0');
  return [emit.maxPool(e, node.input(0), poolWindows(node).windows)];
};

const averagePool: OnnxReader = (e, node) => {
  const y = emit.averagePool(e, node.input(0), poolWindows(node).windows);
  const { shape, factors } = corrections(node, y);
  return factors.every((factor) => factor === 1) ? y : mul(e, y, e.constant(shape, factors));
};

const whole = (x: Value): Windows => {
  const kernel = spatialOf(x.shape);
  return { kernel, strides: kernel, dilations: kernel.map(() => 1), pads: [...kernel, ...kernel].map(() => 0) };
};
const spatialAxes = (x: Value): number[] => spatialOf(x.shape).map((_, axis) => axis + 2);

const globalMaxPool: OnnxReader = (e, node) => emit.maxPool(e, node.input(0), whole(node.input(0)));

const globalAveragePool: OnnxReader = (e, node) => reduceMean(e, node.input(0), spatialAxes(node.input(0)), true);

/** (Σ |x|ᵖ)^(1/p); an even p needs no absolute value. */
function lp(e: Emit, node: OnnxNode, windows: Windows): Value {
  const p = node.int('p', 2);
  const x = node.input(0);
  const powers = pow(e, p % 2 === 0 ? x : e.apply('abs', [x]), p);
  return pow(e, mul(e, emit.averagePool(e, powers, windows), e.scalar(elements(windows.kernel))), 1 / p);
}

const lpPool: OnnxReader = (e, node) => lp(e, node, poolWindows(node).windows);
const globalLpPool: OnnxReader = (e, node) => lp(e, node, whole(node.input(0)));

export const poolingReaders: Readonly<Record<string, OnnxReader>> = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalMaxPool: globalMaxPool,
  GlobalAveragePool: globalAveragePool,
  LpPool: lpPool,
  GlobalLpPool: globalLpPool,
};
