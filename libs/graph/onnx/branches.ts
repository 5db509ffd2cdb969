/** An If whose condition is known while importing is the nodes of the branch that it takes. */
import type { GraphBuilder } from '../builder.js';
import { limits } from '../limits.js';
import { NodeView } from './node-view.js';
import type { ImportedValue } from './node-view.js';
import type { OnnxGraph, OnnxNodeProto, OnnxTensor } from './proto.js';

type Values = Map<string, ImportedValue>;

/** How the nodes and the constants of a branch are read. */
export interface BranchReader {
  readonly readNode: (builder: GraphBuilder, values: Values, node: OnnxNodeProto, opset: number) => void;
  readonly constantOf: (builder: GraphBuilder, tensor: OnnxTensor) => ImportedValue;
}

export function readBranch(
  builder: GraphBuilder,
  values: Values,
  node: OnnxNodeProto,
  opset: number,
  reader: BranchReader,
): void {
  const view = new NodeView(
    builder,
    node,
    node.input.map((name) => values.get(name)),
    opset,
  );
  const condition = view.known(0)?.data[0];
  if (condition === undefined) {
    throw view.unsupported('a choice that depends on data', 'a condition that is known before the model runs');
  }
  const name = condition === 0 ? 'else_branch' : 'then_branch';
  const branch = node.attribute.find((attribute) => attribute.name === name)?.g;
  if (branch === undefined) throw view.unsupported(`no ${name}`, 'a graph for each branch');
  const results = readSubgraph({ builder, values, view, opset, reader }, branch);
  for (const [i, output] of node.output.entries()) {
    const result = results[i];
    if (result !== undefined) values.set(output, result);
  }
}

export interface SubgraphUse {
  readonly builder: GraphBuilder;
  readonly values: Values;
  /** The node that holds the graph. */
  readonly view: NodeView;
  readonly opset: number;
  readonly reader: BranchReader;
}

/** What a graph inside a node gives, its inputs being bound to these values; it sees all values before it. */
export function readSubgraph(
  { builder, values, view, opset, reader }: SubgraphUse,
  graph: OnnxGraph,
  bound: readonly ImportedValue[] = [],
): (ImportedValue | undefined)[] {
  // A loop of loops, or of branches, is soon refused.
  if (!builder.work.takesInner(Math.max(1, graph.node.length)))
    throw view.unsupported('a loop of very many turns', `at most ${limits.nodes} operators in all turns and branches`);
  const own: string[] = [];
  const declare = (given: string | undefined): void => {
    if (given === undefined || given === '') return;
    if (values.has(given)) throw view.unsupported(`the name '${given}' stands for two values`, 'each name once');
    own.push(given);
  };
  for (const [i, input] of bound.entries()) {
    const name = graph.input[i]?.name;
    declare(name);
    values.set(name ?? '', input);
  }
  for (const tensor of graph.initializer) {
    declare(tensor.name);
    values.set(tensor.name ?? '', reader.constantOf(builder, tensor));
  }
  for (const inner of graph.node) {
    inner.output.forEach(declare);
    reader.readNode(builder, values, inner, opset);
  }
  const results = graph.output.map((output) => values.get(output.name ?? ''));
  for (const each of own) values.delete(each);
  return results;
}
