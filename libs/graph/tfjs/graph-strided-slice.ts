/** TensorFlow's StridedSlice: x[1:, ..., None, -1, ::2] of Python, each entry with its bits in five masks. */
import type { Dim } from '../graph.js';
import { isFree } from '../shapes.js';
import type { GraphNodeView, Part } from './graph-node.js';

export const TO_THE_END = 2 ** 31 - 1;

type Entry = { readonly kind: 'cut'; readonly index: number } | { readonly kind: 'all' } | { readonly kind: 'new' };

const isIn = (mask: number, i: number): boolean => i < 31 && ((mask >> i) & 1) === 1;

/** One entry for each axis of x, and between them those that make a new axis. */
function entriesOf(node: GraphNodeView, count: number, rank: number): readonly Entry[] {
  const [ellipsis, added] = [node.int('ellipsis_mask', 0), node.int('new_axis_mask', 0)];
  const indices = Array.from({ length: count }, (_, i) => i);
  const taken = indices.filter((i) => !isIn(ellipsis, i) && !isIn(added, i)).length;
  if (taken > rank) throw node.unsupported(`${taken} cuts of ${rank} axes`, 'at most one for each axis');
  const all: Entry[] = Array.from({ length: rank - taken }, () => ({ kind: 'all' }));
  const entries = indices.flatMap((index): readonly Entry[] => {
    if (isIn(ellipsis, index)) return all;
    return [isIn(added, index) ? { kind: 'new' } : { kind: 'cut', index }];
  });
  return indices.some((i) => isIn(ellipsis, i)) ? entries : [...entries, ...all];
}

export function readStridedSlice(node: GraphNodeView): Part {
  const x = node.input(0);
  const [begins, ends, steps] = [node.known(1).data, node.known(2).data, node.numbers(3)];
  const [open, closed, shrunk] = [node.int('begin_mask', 0), node.int('end_mask', 0), node.int('shrink_axis_mask', 0)];
  const entries = entriesOf(node, begins.length, node.shapeOf(x).length);
  const cuts: { readonly axis: number; readonly start: Dim; readonly end: Dim; readonly step: number }[] = [];
  const squeezed: number[] = [];
  entries
    .filter(({ kind }) => kind !== 'new')
    .forEach((entry, axis) => {
      if (entry.kind !== 'cut') return;
      const { index } = entry;
      const [begin, step] = [begins[index] ?? 0, steps[index] ?? 1];
      if (isIn(shrunk, index)) {
        squeezed.push(axis);
        cuts.push({ axis, start: begin, end: after(node, begin), step: 1 });
        return;
      }
      const start = isIn(open, index) ? (step > 0 ? 0 : TO_THE_END) : begin;
      const end = isIn(closed, index) ? (step > 0 ? TO_THE_END : -TO_THE_END) : (ends[index] ?? TO_THE_END);
      cuts.push({ axis, start, end, step });
    });
  const lists = [cuts.map(({ start }) => start), cuts.map(({ end }) => end), cuts.map(({ axis }) => axis)];
  const operands = [...lists, cuts.map(({ step }) => step)].map((list) => node.wholes(list));
  const cut = cuts.length > 0 ? node.onnx('Slice', [x, ...operands]) : x;
  const picked = squeezed.length > 0 ? node.onnx('Squeeze', [cut, node.wholes(squeezed)]) : cut;
  const added = entries
    .filter((entry) => !(entry.kind === 'cut' && isIn(shrunk, entry.index)))
    .flatMap(({ kind }, axis) => (kind === 'new' ? [axis] : []));
  return added.length > 0 ? node.onnx('Unsqueeze', [picked, node.wholes(added)]) : picked;
}

function after(node: GraphNodeView, begin: Dim): number {
  if (isFree(begin)) throw node.unsupported(`the element at ${begin}`, 'one that does not depend on the number of examples');
  return begin === -1 ? TO_THE_END : begin + 1;
}
