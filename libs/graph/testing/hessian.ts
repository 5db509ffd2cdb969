/** The engine's part, in a few lines: flat vectors in, sums over examples out. */
import type { Graph, LinearizedGraph } from '../graph.js';
import { parametersOf } from '../queries.js';
import { referenceTensor } from '../reference-tensor.js';
import { runReference } from '../run-reference.js';
import type { ReferenceValues } from '../run-reference.js';
import { sizeOf } from '../shapes.js';

/** Cuts a flat vector into the parts of the parameters, under the given names. */
export function split(training: Graph, flat: ArrayLike<number>, names: readonly string[]): ReferenceValues {
  let offset = 0;
  const numbers = Array.from(flat);
  return Object.fromEntries(
    parametersOf(training).map((parameter, i) => {
      const size = sizeOf(parameter.shape) ?? 0;
      const part = numbers.slice(offset, (offset += size));
      return [names[i] ?? parameter.name, referenceTensor(parameter.shape as readonly number[], part)];
    }),
  );
}

export const join = (values: ReferenceValues, names: readonly string[]): number[] =>
  names.flatMap((name) => [...(values[name]?.data ?? [])]);

export interface ReferenceLinearization {
  readonly loss: number;
  readonly gradient: number[];
  multiply(vector: ArrayLike<number>): number[];
}

/** Runs the primal part once and the tangent part for each product. */
export function referenceLinearization(
  { primal, tangent }: LinearizedGraph,
  training: Graph,
  inputs: ReferenceValues,
): ReferenceLinearization {
  const kept = runReference(primal.graph, inputs);
  const [vectors, products] = [tangent.vectors[0] ?? [], tangent.products[0] ?? []];
  return {
    loss: kept[primal.loss]?.data[0] ?? Number.NaN,
    gradient: join(kept, primal.gradients),
    multiply: (vector) =>
      join(runReference(tangent.graph, { ...inputs, ...kept, ...split(training, vector, vectors) }), products),
  };
}
