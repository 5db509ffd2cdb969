/**
 * The gradient of each example by itself, from one run. In the gradient of a sum of losses the examples stay apart until a
 * parameter's gradient adds them up: in a sum over the axis of examples, or in a product that contracts it. Those ops are
 * replaced by ones that leave the examples apart, and what comes after them is done for each example (Goodfellow 2015,
 * "Efficient per-example gradient computations", for any op).
 */
import { GraphBuilder } from './builder.js';
import { expand, reshape, transpose } from './emit.js';
import { gradient } from './gradient.js';
import type { GradientGraph, Graph, GraphNode } from './graph.js';
import { placesOfExamples } from './mixes-examples.js';
import type { PlaceOfExamples } from './mixes-examples.js';
import type { Value } from './op.js';
import { apart, forEach, notApart } from './per-example-rules.js';
import type { Each } from './per-example-rules.js';
import { factorOf, freeDim, isFree } from './shapes.js';

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

const nowhere: PlaceOfExamples = { place: 'none', outer: 1 };

/** Where others come before the examples in their axis (time before examples), the other way round: all of them are added up. */
function examplesFirst(e: GraphBuilder, value: Value, { place, outer }: PlaceOfExamples): Value {
  if (typeof place !== 'number' || outer === 1) return value;
  const [front, back] = [value.shape.slice(0, place), value.shape.slice(place + 1)];
  const inner = factorOf(value.shape[place] ?? 1) / outer;
  const split = reshape(e, value, [...front, outer, freeDim(inner), ...back]);
  const order = split.shape.map((_, axis) => axis);
  [order[place], order[place + 1]] = [place + 1, place];
  return reshape(e, transpose(e, split, order), value.shape);
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
      const from = node.inputs.map((name) => places.get(name) ?? nowhere);
      if (node.output !== loss) this.#values.set(node.output, this.#made(node, from));
    }
  }

  #made(node: GraphNode, places: readonly PlaceOfExamples[]): Each {
    // An example by itself is a chunk of one.
    if (node.op === 'batchSize') return { value: this.builder.scalar(1), lifted: false };
    const inputs = node.inputs.map((name) => this.#get(name));
    if (inputs.some(({ lifted }) => lifted)) return { value: forEach(this.builder, node, inputs), lifted: true };
    const values = inputs.map(({ value }) => value);
    const ofExamples = places.some(({ place }) => typeof place === 'number');
    if (!ofExamples || node.shape.some(isFree))
      return { value: this.builder.apply(node.op, values, node.attributes), lifted: false };
    if (new Set(places.flatMap(({ place, outer }) => (typeof place === 'number' ? [outer] : []))).size > 1)
      throw notApart(node.op);
    const inOrder = values.map((value, i) => examplesFirst(this.builder, value, places[i] ?? nowhere));
    const axes = places.map(({ place }) => place);
    return { value: apart(this.builder, node, inOrder, axes), lifted: true };
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
