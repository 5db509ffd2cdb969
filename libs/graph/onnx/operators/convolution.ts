import { add, reshape } from '../../emit.js';
import * as emit from '../../emit/convolution.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { reachOf, spatialOf } from '../../ops/windows.js';
import type { Windows } from '../../ops/windows.js';
import { halved, paddedWindows, windowsAt } from './windows.js';

/** One number for each channel. */
function withBias(e: Emit, node: OnnxNode, y: Value): Value {
  if (!node.has(2)) return y;
  return add(
    e,
    y,
    reshape(
      e,
      node.input(2),
      y.shape.map((dim, axis) => (axis === 1 ? dim : 1)),
    ),
  );
}

const conv: OnnxReader = (e, node) => {
  const windows = paddedWindows(node, spatialOf(node.input(1).shape));
  const y = emit.conv(e, node.input(0), node.input(1), { ...windows, groups: node.int('group', 1) });
  return withBias(e, node, y);
};

/** Where the result lies within all that the windows reach: its sizes, and what is cut off in front and behind. */
function placed(node: OnnxNode, windows: Windows): { readonly size: number[]; readonly pads: readonly number[] } {
  const given = spatialOf(node.input(0).shape);
  const { strides } = windows;
  const extra = node.ints('output_padding') ?? given.map(() => 0);
  const reached = given.map((length, axis) => (length - 1) * at(strides, axis) + reachOf(windows, axis) + at(extra, axis));
  const mode = node.text('auto_pad', 'NOTSET');
  const same = mode === 'SAME_UPPER' || mode === 'SAME_LOWER';
  const wanted = node.ints('output_shape') ?? (same ? given.map((length, axis) => length * at(strides, axis)) : undefined);
  const cut = (): readonly number[] => {
    if (wanted !== undefined) {
      const totals = reached.map((length, axis) => length - at(wanted.slice(-given.length), axis));
      return halved(totals, mode === 'SAME_UPPER');
    }
    return mode === 'VALID' ? windows.pads.map(() => 0) : windows.pads;
  };
  const pads = cut();
  const size = reached.map((length, axis) => length - at(pads, axis) - at(pads, axis + given.length));
  // Rows beyond the last window are padding that was not cut off.
  const beyond = extra.map((rows, axis) => Math.floor(rows / at(strides, axis)) * at(strides, axis));
  const behind = beyond.map((rows, axis) => at(pads, axis + given.length) - rows);
  return { size, pads: [...pads.slice(0, given.length), ...behind] };
}

const convTranspose: OnnxReader = (e, node) => {
  const windows = windowsAt(node, spatialOf(node.input(1).shape));
  const { size, pads } = placed(node, windows);
  if (pads.some((pad) => pad < 0)) {
    throw node.unsupported('its result is larger than its windows reach', 'an output that the windows cover');
  }
  const options = { ...windows, pads, groups: node.int('group', 1) };
  return withBias(e, node, emit.convInputGradient(e, node.input(0), node.input(1), size, options));
};

export const convolutionReaders: Readonly<Record<string, OnnxReader>> = { Conv: conv, ConvTranspose: convTranspose };
