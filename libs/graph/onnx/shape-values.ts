/**
 * The arithmetic that exporters write about shapes (`x.view(x.size(0), -1)` becomes Shape, Gather, Unsqueeze, Concat) is done
 * while importing, with the free axis as a symbol. Such values are short lists of sizes and never reach the graph.
 */
import type { Dim } from '../graph.js';

export interface ShapeValue {
  readonly kind: 'sizes';
  readonly dims: readonly Dim[];
  /** One number without an axis. */
  readonly scalar: boolean;
}

export const sizes = (dims: readonly Dim[], scalar = false): ShapeValue => ({ kind: 'sizes', dims, scalar });

export interface ShapeNode {
  readonly inputs: readonly ShapeValue[];
  int(name: string, byDefault: number): number;
  unsupported(reason: string, expected?: string): Error;
}

type Rule = (node: ShapeNode) => ShapeValue;

const operand = (node: ShapeNode, index: number): ShapeValue => {
  const value = node.inputs[index];
  if (value === undefined) throw node.unsupported('an input is missing');
  return value;
};

const fixed = (node: ShapeNode, dim: Dim | undefined): number => {
  if (typeof dim !== 'number') throw node.unsupported('arithmetic with the number of examples', 'the batch axis kept as it is');
  return dim;
};

const arithmetic =
  (f: (a: number, b: number) => number): Rule =>
  (node) => {
    const [a, b] = [operand(node, 0), operand(node, 1)];
    const longer = a.dims.length >= b.dims.length ? a : b;
    const pick = (value: ShapeValue, i: number): number => fixed(node, value.dims[value.dims.length === 1 ? 0 : i]);
    return sizes(
      longer.dims.map((_, i) => f(pick(a, i), pick(b, i))),
      a.scalar && b.scalar,
    );
  };

const same: Rule = (node) => operand(node, 0);

/** ONNX clamps the bounds of a slice to the tensor. */
function slice(node: ShapeNode): ShapeValue {
  const { dims } = operand(node, 0);
  const bound = (index: number, byDefault: number): number => {
    const value = node.inputs[index] === undefined ? byDefault : fixed(node, operand(node, index).dims[0]);
    return Math.max(0, Math.min(dims.length, value < 0 ? value + dims.length : value));
  };
  if (node.inputs[4] !== undefined && fixed(node, operand(node, 4).dims[0]) !== 1)
    throw node.unsupported('a slice of sizes with steps');
  return sizes(dims.slice(bound(1, 0), bound(2, dims.length)));
}

export const shapeRules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['Identity', same],
  ['Cast', same],
  [
    'Gather',
    (node) => {
      const [data, index] = [operand(node, 0), operand(node, 1)];
      const picked = index.dims.map((dim) => {
        const at = fixed(node, dim);
        const size = data.dims[at < 0 ? at + data.dims.length : at];
        if (size === undefined) throw node.unsupported(`size ${at} of ${data.dims.length}`);
        return size;
      });
      return sizes(picked, index.scalar);
    },
  ],
  ['Concat', (node) => sizes(node.inputs.flatMap(({ dims }) => dims))],
  ['Unsqueeze', (node) => sizes(operand(node, 0).dims)],
  ['Squeeze', (node) => sizes(operand(node, 0).dims, true)],
  ['Slice', slice],
  ['Add', arithmetic((a, b) => a + b)],
  ['Sub', arithmetic((a, b) => a - b)],
  ['Mul', arithmetic((a, b) => a * b)],
  ['Div', arithmetic((a, b) => Math.trunc(a / b))],
]);
