import type { Graph } from './graph.js';
import { opNamed } from './ops/registry.js';
import type { ReferenceTensor } from './reference-tensor.js';
import { examplesOf, resolveShape, showShape } from './shapes.js';

export type ReferenceValues = Readonly<Record<string, ReferenceTensor>>;

/**
 * Runs a graph in double precision, slowly: the oracle that executors are compared with.
 * Returns the outputs by name. Wrong inputs are a bug and throw.
 */
export function runReference(graph: Graph, inputs: ReferenceValues): Record<string, ReferenceTensor> {
  const batch = examplesIn(graph, inputs);
  const values = new Map<string, ReferenceTensor>();
  const get = (name: string): ReferenceTensor => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`There is no value '${name}'`);
    return value;
  };
  for (const { name } of graph.inputs) {
    const given = inputs[name];
    if (given !== undefined) values.set(name, given);
  }
  for (const { name, shape, data } of graph.constants) {
    values.set(name, { shape: resolveShape(shape, undefined), data: Float64Array.from(data) });
  }
  for (const node of graph.nodes) {
    const shape = resolveShape(node.shape, batch);
    const data =
      node.op === 'batchSize'
        ? Float64Array.of(batch ?? 0)
        : opNamed(node.op).reference(node.inputs.map(get), node.attributes, shape);
    values.set(node.output, { shape, data });
  }
  return Object.fromEntries(graph.outputs.map((output) => [output.name, get(output.value)]));
}

/** The number of examples, from the inputs that have them; all must agree, and every shape must be as declared. */
function examplesIn(graph: Graph, inputs: ReferenceValues): number | undefined {
  let batch: number | undefined;
  for (const { name, shape } of graph.inputs) {
    const given = inputs[name]?.shape;
    if (given === undefined) continue;
    batch ??= examplesOf(shape, given);
    if (resolveShape(shape, batch).join() !== given.join()) {
      throw new Error(`Input '${name}' is ${showShape(given)} where ${showShape(shape)} is expected`);
    }
  }
  return batch;
}
