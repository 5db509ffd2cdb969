/**
 * AB + CD is one product, (A C)(B over D). The product rule makes such sums at every layer; where the inner axes are short, as
 * at the outputs of a network, to lay the operands side by side costs less than to write a second product and to add it.
 */
import { GraphBuilder } from './builder.js';
import { matmul } from './emit.js';
import { concat } from './emit/shape.js';
import type { Graph, GraphNode } from './graph.js';
import { at, flagAttribute } from './op.js';
import type { Source, Value } from './op.js';
import { madeBy } from './ops/patterns.js';
import { elementsOf, isFree, nominalExamples, sameShape } from './shapes.js';

/** Passes over memory, per element: an operand is read and written by one thread; a product is written, and read to be added. */
const costs = { joining: 4, adding: 3 };

type Application = Extract<Source, { kind: 'op' }>;

/** The same graph with some sums of matrix products as one product. */
export function withJoinedProducts(graph: Graph): Graph {
  const uses = usesOf(graph);
  const builder = new GraphBuilder();
  const single = new Set<Value>();
  const values = builder.inline(graph, new Map(), (node, inputs) => {
    const value = joinedSum(builder, node, inputs, single) ?? builder.apply(node.op, inputs, node.attributes);
    if (uses.get(node.output) === 1) single.add(value);
    return value;
  });
  return builder.build(
    graph.outputs.map(({ name }) => ({ name, value: values.get(name)! })),
    [],
  );
}

function usesOf({ nodes, outputs }: Graph): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  for (const name of [...nodes.flatMap(({ inputs }) => inputs), ...outputs.map(({ value }) => value)]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}

function joinedSum(e: GraphBuilder, node: GraphNode, inputs: readonly Value[], single: ReadonlySet<Value>): Value | undefined {
  if (node.op !== 'add' || !inputs.every((value) => single.has(value) && sameShape(value.shape, node.shape))) return undefined;
  const [first, second] = inputs.map((value) => madeBy(value, 'matmul'));
  if (first === undefined || second === undefined || !gains(node, first, second)) return undefined;
  const [transA, transB] = [flagAttribute(first.attributes, 'transA'), flagAttribute(first.attributes, 'transB')];
  const beside = (index: number, axis: number): Value => concat(e, [at(first.inputs, index), at(second.inputs, index)], axis);
  return matmul(e, beside(0, transA ? 0 : 1), beside(1, transB ? 1 : 0), { transA, transB });
}

function gains({ shape }: GraphNode, first: Application, second: Application): boolean {
  const operands = [...first.inputs, ...second.inputs];
  if (operands.some((operand) => operand.shape.length !== 2)) return false;
  if (['transA', 'transB'].some((flag) => flagAttribute(first.attributes, flag) !== flagAttribute(second.attributes, flag)))
    return false;
  const inner = (use: Application) => at(use.inputs, 0).shape[flagAttribute(use.attributes, 'transA') ? 0 : 1];
  if (isFree(inner(first)) || isFree(inner(second))) return false;
  const joining = operands.reduce((sum, operand) => sum + elementsOf(operand.shape, nominalExamples), 0);
  return costs.joining * joining < costs.adding * elementsOf(shape, nominalExamples);
}
