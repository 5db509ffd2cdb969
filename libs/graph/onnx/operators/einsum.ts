/**
 * Einsum as matrix products: operands are taken two by two from the left. Axes of both that stay are stacked, axes of both
 * that go are the inner ones, axes of one are its rows or columns; what only one operand has and nobody needs is summed first.
 */
import { matmul, mul, reduceSum, reshape, transpose } from '../../emit.js';
import { sliceAlong } from '../../emit/shape.js';
import type { Dim, Shape } from '../../graph.js';
import { at } from '../../op.js';
import type { Emit, OnnxNode, OnnxReader, Value } from '../../op.js';
import { isFree, mergedDim, showShape } from '../../shapes.js';
import { largest } from '#math/extremes.js';

/** A tensor whose axes have names. */
interface Operand {
  readonly value: Value;
  readonly labels: readonly string[];
}

interface Equation {
  readonly terms: readonly (readonly string[])[];
  readonly output: readonly string[];
}

const ELLIPSIS = '...';
const TERM = /^[A-Za-z]*(\.\.\.[A-Za-z]*)?$/;

/** The axes of an ellipsis align at the right, so they are named by their distance from its end: `.1` is the last. */
const ellipsisLabels = (count: number): string[] => Array.from({ length: count }, (_, i) => `.${count - i}`);

function labelsOf(term: string, ellipsisRank: number): string[] {
  const [front = '', back] = term.split(ELLIPSIS);
  const letters = (part: string): string[] => Array.from(part);
  return back === undefined ? letters(front) : [...letters(front), ...ellipsisLabels(ellipsisRank), ...letters(back)];
}

function parse(node: OnnxNode, text: string, shapes: readonly Shape[]): Equation {
  const [left = '', right, ...more] = text.replaceAll(' ', '').split('->');
  const given = left.split(',');
  const odd = [...given, right ?? ''].find((term) => !TERM.test(term));
  if (odd !== undefined || more.length > 0) throw node.unsupported(`the equation '${text}'`, 'letters, commas, ... and ->');
  if (given.length !== shapes.length) throw node.unsupported(`the equation '${text}' for ${shapes.length} inputs`);
  const ellipsisRanks = given.map((term, i) => {
    const rank = at(shapes, i).length;
    const letters = term.replace(ELLIPSIS, '').length;
    if (term.includes(ELLIPSIS) ? letters <= rank : letters === rank) return term.includes(ELLIPSIS) ? rank - letters : 0;
    throw node.unsupported(`the term '${term}' for a tensor of shape ${showShape(at(shapes, i))}`, 'one letter for each axis');
  });
  const terms = given.map((term, i) => labelsOf(term, at(ellipsisRanks, i)));
  const longest = largest(ellipsisRanks);
  if (right !== undefined) return { terms, output: labelsOf(right, longest) };
  // Without an arrow: what occurs once, in alphabetical order, behind the ellipsis.
  const letters = terms.flat().filter((label) => !label.startsWith('.'));
  const once = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label)).sort();
  return { terms, output: [...ellipsisLabels(longest), ...once] };
}

/** The sizes of the labels; an axis of size 1 stretches. */
function sizesOf(node: OnnxNode, operands: readonly Operand[]): ReadonlyMap<string, Dim> {
  const sizes = new Map<string, Dim>();
  for (const { value, labels } of operands) {
    labels.forEach((label, axis) => {
      const [known, dim] = [sizes.get(label) ?? 1, at(value.shape, axis)];
      if (known !== 1 && dim !== 1 && known !== dim) {
        throw node.unsupported(`the axes '${label}' have the sizes ${known} and ${dim}`, 'equal sizes');
      }
      if (known === 1) sizes.set(label, dim);
    });
  }
  return sizes;
}

/** Where a label stands twice in a term, the diagonal: every (n + 1)-th element of the two axes made one. */
function diagonal(e: Emit, node: OnnxNode, operand: Operand): Operand {
  const { value, labels } = operand;
  const second = labels.findIndex((label, i) => labels.indexOf(label) < i);
  if (second < 0) return operand;
  const label = at(labels, second);
  const first = labels.indexOf(label);
  const [n, other] = [at(value.shape, first), at(value.shape, second)];
  if (isFree(n) || n !== other)
    throw node.unsupported(`the diagonal '${label}' of ${showShape(value.shape)}`, 'two equal fixed axes');
  const rest = labels.flatMap((_, axis) => (axis === first || axis === second ? [] : [axis]));
  const moved = transpose(e, value, [...rest, first, second]);
  const kept = rest.map((axis) => at(value.shape, axis));
  const cut = sliceAlong(e, reshape(e, moved, [...kept, n * n]), kept.length, 0, n, n + 1);
  return diagonal(e, node, { value: cut, labels: [...rest.map((axis) => at(labels, axis)), label] });
}

/** Drops axes of size 1 that are longer elsewhere, and sums over what nobody else has. */
function trimmed(
  e: Emit,
  { value, labels }: Operand,
  sizes: ReadonlyMap<string, Dim>,
  isNeeded: (label: string) => boolean,
): Operand {
  const stretched = labels.map((label, axis) => value.shape[axis] === 1 && sizes.get(label) !== 1);
  const whole = reshape(
    e,
    value,
    value.shape.filter((_, axis) => !stretched[axis]),
  );
  const left = labels.filter((_, axis) => !stretched[axis]);
  const summed = left.flatMap((label, axis) => (isNeeded(label) ? [] : [axis]));
  return { value: summed.length > 0 ? reduceSum(e, whole, summed) : whole, labels: left.filter(isNeeded) };
}

function arranged(e: Emit, { value, labels }: Operand, order: readonly string[]): Value {
  return transpose(
    e,
    value,
    order.map((label) => labels.indexOf(label)),
  );
}

const sameOrder = (a: readonly string[], b: readonly string[]): boolean => a.every((label, i) => label === b[i]);

interface Matrices {
  readonly value: Value;
  /** The inner axis stands first. */
  readonly innerFirst: boolean;
}

/** Stacked matrices [stack…, outer, inner], or with the last two the other way round where that moves nothing. */
function matrices(
  e: Emit,
  node: OnnxNode,
  operand: Operand,
  stack: readonly string[],
  outer: readonly string[],
  inner: readonly string[],
): Matrices {
  const innerFirst = sameOrder([...stack, ...inner, ...outer], operand.labels);
  const order = innerFirst ? [...stack, ...inner, ...outer] : [...stack, ...outer, ...inner];
  const value = arranged(e, operand, order);
  const merge = (labels: readonly string[]): Dim => {
    const dims = labels.map((label) => at(value.shape, order.indexOf(label)));
    const merged = mergedDim(dims);
    if (merged === undefined) throw node.unsupported(`the axes ${labels.join('')} (${showShape(dims)}) as one`);
    return merged;
  };
  const last = innerFirst ? [merge(inner), merge(outer)] : [merge(outer), merge(inner)];
  return { value: reshape(e, value, [...value.shape.slice(0, stack.length), ...last]), innerFirst };
}

function contracted(e: Emit, node: OnnxNode, a: Operand, b: Operand, isKept: (label: string) => boolean): Operand {
  const both = a.labels.filter((label) => b.labels.includes(label));
  const [stack, inner] = [both.filter(isKept), both.filter((label) => !isKept(label))];
  const [rows, columns] = [a.labels.filter((label) => !both.includes(label)), b.labels.filter((label) => !both.includes(label))];
  const labels = [...stack, ...rows, ...columns];
  const sizeIn = ({ value, labels: of }: Operand, label: string): Dim => at(value.shape, of.indexOf(label));
  if (inner.length === 0 || rows.length + columns.length === 0) {
    const [left, right] = [arranged(e, a, [...stack, ...inner, ...rows]), arranged(e, b, [...stack, ...inner, ...columns])];
    const product = mul(
      e,
      reshape(e, left, [...left.shape, ...columns.map(() => 1)]),
      reshape(e, right, spread(right.shape, both.length, rows.length)),
    );
    return {
      value: reduceSum(
        e,
        product,
        inner.map((_, i) => stack.length + i),
      ),
      labels,
    };
  }
  const left = matrices(e, node, a, stack, rows, inner);
  const right = matrices(e, node, b, stack, columns, inner);
  const product = matmul(e, left.value, right.value, { transA: left.innerFirst, transB: !right.innerFirst });
  const shape = [
    ...stack.map((label) => sizeIn(a, label)),
    ...rows.map((label) => sizeIn(a, label)),
    ...columns.map((label) => sizeIn(b, label)),
  ];
  return { value: reshape(e, product, shape), labels };
}

/** With axes of size 1 behind the first ones. */
const spread = (shape: Shape, first: number, count: number): Shape => [
  ...shape.slice(0, first),
  ...Array.from({ length: count }, () => 1),
  ...shape.slice(first),
];

export const einsum: OnnxReader = (e, node) => {
  const values = Array.from({ length: node.inputCount }, (_, i) => node.input(i));
  const { terms, output } = parse(
    node,
    node.text('equation', ''),
    values.map(({ shape }) => shape),
  );
  const given = values.map((value, i) => diagonal(e, node, { value, labels: at(terms, i) }));
  const sizes = sizesOf(node, given);
  const foreign = output.find((label, i) => !sizes.has(label) || output.indexOf(label) < i);
  if (foreign !== undefined) throw node.unsupported(`the result's label '${foreign}'`, 'each label of the operands at most once');
  const operands = given.map((operand, i) =>
    trimmed(e, operand, sizes, (label) => output.includes(label) || given.some((other, k) => k !== i && reaches(other, label))),
  );
  let [result] = operands;
  operands.slice(1).forEach((operand, i) => {
    const later = operands.slice(i + 2);
    const isKept = (label: string): boolean => output.includes(label) || later.some(({ labels }) => labels.includes(label));
    result = result && contracted(e, node, result, operand, isKept);
  });
  if (result === undefined) throw node.unsupported('no operand');
  return arranged(e, result, output);

  function reaches({ value, labels }: Operand, label: string): boolean {
    const axis = labels.indexOf(label);
    return axis >= 0 && (value.shape[axis] !== 1 || sizes.get(label) === 1);
  }
};
