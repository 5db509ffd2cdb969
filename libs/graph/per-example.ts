/**
 * The gradient of each example by itself, from one run. In the gradient of a sum of losses the examples stay apart until a
 * parameter's gradient adds them up: in a sum over the axis of examples, or in a product that contracts it. Those ops are
 * replaced by ones that leave the examples apart, and what comes after them is done for each example (Goodfellow 2015,
 * "Efficient per-example gradient computations", for any op).
 */
import { GraphBuilder } from './builder.js';
import { expand } from './emit.js';
import { gradient } from './gradient.js';
import type { GradientGraph, Graph, GraphNode } from './graph.js';
import { placesOfExamples } from './mixes-examples.js';
import type { Value } from './op.js';
import { apart, forEach, notApart } from './per-example-rules.js';
import type { Each } from './per-example-rules.js';
import { isFree } from './shapes.js';

/**
 * For a training graph as `attachLoss` makes it, whose examples do not mix. Each gradient has the shape of its parameter
 * behind one axis of examples. Throws UnsupportedModel where an op has no rule; one example at a time is the way then.
 */
export function perExampleGradient(training: Graph): GradientGraph {
  const { graph, ...names } = gradient(training);
  const copy = new ApartCopy(graph);
  const outputs = graph.outputs.map(({ name, value }) => ({
    name,
    value: names.gradients.includes(name) ? copy.eachOf(value) : copy.sumOf(value),
  }));
  return { graph: copy.builder.build(outputs.filter(({ name }) => name !== names.loss)), ...names, loss: '' };
}

/** A graph without sums over examples. */
class ApartCopy {
  readonly builder = new GraphBuilder();
  readonly #values = new Map<string, Each>();

  constructor(graph: Graph) {
    for (const input of graph.inputs) this.#values.set(input.name, { value: this.builder.input(input), lifted: false });
    for (const { name, shape, data, dtype } of graph.constants) {
      this.#values.set(name, { value: this.builder.constant(shape as readonly number[], data, dtype), lifted: false });
    }
    const places = placesOfExamples(graph);
    // The sum that is the loss itself has no use here.
    const loss = graph.outputs.find(({ name }) => name === 'loss')?.value;
    for (const node of graph.nodes) {
      const from = node.inputs.map((name) => places.get(name)?.place ?? 'none');
      if (node.output !== loss) this.#values.set(node.output, this.#made(node, from));
    }
  }

  #made(node: GraphNode, places: readonly (number | 'none' | 'mixed')[]): Each {
    // An example by itself is a chunk of one.
    if (node.op === 'batchSize') return { value: this.builder.scalar(1), lifted: false };
    const inputs = node.inputs.map((name) => this.#get(name));
    if (inputs.some(({ lifted }) => lifted)) return { value: forEach(this.builder, node, inputs), lifted: true };
    const values = inputs.map(({ value }) => value);
    const ofExamples = places.some((place) => typeof place === 'number');
    if (!ofExamples || node.shape.some(isFree))
      return { value: this.builder.apply(node.op, values, node.attributes), lifted: false };
    return { value: apart(this.builder, node, values, places), lifted: true };
  }

  #get(name: string): Each {
    const value = this.#values.get(name);
    if (value === undefined) throw new Error(`The graph has no value '${name}'`);
    return value;
  }

  eachOf(name: string): Value {
    const { value, lifted } = this.#get(name);
    return lifted ? value : expand(this.builder, value, ['batch', ...value.shape]);
  }

  sumOf(name: string): Value {
    const known = this.#values.get(name);
    if (known === undefined) return this.builder.scalar(0);
    if (known.lifted) throw notApart(name);
    return known.value;
  }
}
