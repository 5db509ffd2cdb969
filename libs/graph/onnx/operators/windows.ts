/** What convolutions and poolings of ONNX files have in common: where their windows lie. */
import { at } from '../../op.js';
import type { OnnxNode } from '../../op.js';
import { reachOf, spatialOf } from '../../ops/windows.js';
import type { Windows } from '../../ops/windows.js';

const ones = (rank: number): number[] => Array.from({ length: rank }, () => 1);

/** Half of the padding on each side; of an odd number the last one goes behind (`SAME_UPPER`) or in front. */
export const halved = (totals: readonly number[], upper: boolean): number[] => {
  const before = totals.map((total) => (upper ? Math.floor(total / 2) : Math.ceil(total / 2)));
  return [...before, ...totals.map((total, axis) => total - at(before, axis))];
};

/** Padding as written, where it is; `auto_pad` is the caller's. */
export function windowsAt(node: OnnxNode, kernel: readonly number[]): Windows {
  const rank = kernel.length;
  return {
    kernel,
    strides: node.ints('strides') ?? ones(rank),
    dilations: node.ints('dilations') ?? ones(rank),
    pads: node.ints('pads') ?? [...ones(rank), ...ones(rank)].map(() => 0),
  };
}

/** With the padding that `auto_pad` asks for: as many windows as the axis has strides, or none beyond the edge. */
export function paddedWindows(node: OnnxNode, kernel: readonly number[]): Windows {
  const windows = windowsAt(node, kernel);
  const size = spatialOf(node.input(0).shape);
  const mode = node.text('auto_pad', 'NOTSET');
  switch (mode) {
    case 'NOTSET':
      return windows;
    case 'VALID':
      return { ...windows, pads: windows.pads.map(() => 0) };
    case 'SAME_UPPER':
    case 'SAME_LOWER': {
      const totals = size.map((length, axis) => {
        const stride = at(windows.strides, axis);
        return Math.max(0, (Math.ceil(length / stride) - 1) * stride + reachOf(windows, axis) - length);
      });
      return { ...windows, pads: halved(totals, mode === 'SAME_UPPER') };
    }
    default:
      throw node.unsupported(`auto_pad '${mode}'`, 'NOTSET, SAME_UPPER, SAME_LOWER or VALID');
  }
}
