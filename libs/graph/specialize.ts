import { GraphBuilder } from './builder.js';
import { matmul, transpose } from './emit.js';
import type { Attribute, Attributes, ConstantData, Graph, GraphNode, Shape } from './graph.js';
import { at, flagAttribute } from './op.js';
import type { Emit, Value } from './op.js';
import { factorOf, isFree } from './shapes.js';

export interface Known {
  /** In each run. */
  readonly examples: number;
  /** What is the same in each run, by the name of the input. */
  readonly inputs: ReadonlyMap<string, ConstantData>;
}

/**
 * The same graph for a fixed number of examples, with some of its inputs as constants of the graph. An executor that lays the
 * right operand of a matrix product out before it starts (ONNX Runtime's CPU provider does) need not do so in every run, so a
 * constant operand comes to stand at the right.
 */
export function specialize(graph: Graph, { examples, inputs }: Known): Graph {
  const builder = new GraphBuilder();
  const bound = new Map<string, Value>();
  const fixed = (shape: Shape): number[] => shape.map((dim) => (isFree(dim) ? examples * factorOf(dim) : dim));
  for (const input of graph.inputs) {
    const data = inputs.get(input.name);
    const shape = fixed(input.shape);
    bound.set(input.name, data === undefined ? builder.input({ ...input, shape }) : builder.constant(shape, data, input.dtype));
  }
  const values = builder.inline(graph, bound, (node, given) => applied(builder, node, given, examples));
  return builder.build(
    graph.outputs.map(({ name }) => ({ name, value: values.get(name)! })),
    [],
  );
}

function applied(e: Emit, { op, attributes }: GraphNode, inputs: readonly Value[], examples: number): Value {
  if (op === 'batchSize') return e.scalar(examples);
  const [a, b] = inputs;
  if (op === 'matmul' && a?.source.kind === 'constant' && b !== undefined && b.source.kind !== 'constant') {
    const [transA, transB] = [flagAttribute(attributes, 'transA'), flagAttribute(attributes, 'transB')];
    if (at(inputs, 0).shape.length === 2 && b.shape.length === 2) {
      return transpose(e, matmul(e, b, a, { transA: !transB, transB: !transA }), [1, 0]);
    }
  }
  return e.apply(op, inputs, withoutFree(attributes, examples));
}

function withoutFree(attributes: Attributes, examples: number): Attributes {
  const resolved = (attribute: Attribute): Attribute =>
    Array.isArray(attribute) ? (attribute as Shape).map((dim) => (isFree(dim) ? examples * factorOf(dim) : dim)) : attribute;
  return Object.fromEntries(Object.entries(attributes).map(([name, attribute]) => [name, resolved(attribute)]));
}
