import type { Executor } from '#engine/executor.js';
import { relativeError } from '#engine/verify/compare.js';
import { rounded, runExactly, runOnce } from '#engine/verify/run-once.js';
import { sampleTolerance } from '#engine/verify/verify-executor.js';
import { GraphBuilder } from '#graph/builder.js';
import type { Graph, ReferenceTensor, Shape } from '#graph/index.js';
import type { Emit, Value } from '#graph/op.js';
import { referenceTensor } from '#graph/reference-tensor.js';
import { createRandom } from '#math/random.js';

type Make = (e: Emit, inputs: readonly Value[]) => Value | readonly Value[];

/** A graph with the inputs x0, x1, … and the outputs y0, y1, … */
export function graphOf(shapes: readonly Shape[], make: Make): Graph {
  const builder = new GraphBuilder();
  const inputs = shapes.map((shape, i) => builder.input({ name: `x${i}`, role: 'data', dtype: 'float32', shape }));
  const made = make(builder, inputs);
  const values = Array.isArray(made) ? (made as readonly Value[]) : [made as Value];
  return builder.build(values.map((value, i) => ({ name: `y${i}`, value })));
}

/** By the names of the inputs of such a graph. */
export const named = (tensors: readonly ReferenceTensor[]): Record<string, ReferenceTensor> =>
  Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));

export function numbers(shape: readonly number[], seed: number): ReferenceTensor {
  const random = createRandom(seed);
  return referenceTensor(
    shape,
    Float64Array.from({ length: shape.reduce((product, dim) => product * dim, 1) }, () => random.normal()),
  );
}

/** Outputs that differ from the reference, with their first numbers. */
export const comparing =
  (executor: Executor) =>
  async (graph: Graph, tensors: readonly ReferenceTensor[]): Promise<string[]> => {
    const inputs = rounded(named(tensors));
    const [actual, expected] = [await runOnce(executor, graph, inputs), runExactly(graph, inputs)];
    return graph.outputs.flatMap(({ name: y }) =>
      relativeError(actual[y]!, expected[y]!) < sampleTolerance
        ? []
        : [`${y}: ${actual[y]!.slice(0, 8).join()} for ${expected[y]!.slice(0, 8).join()}`],
    );
  };
