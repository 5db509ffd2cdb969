import { GraphBuilder } from '../builder.js';
import { forward, reverse } from '../differentiate.js';
import { mul, reduceSum } from '../emit.js';
import type { Graph } from '../graph.js';
import type { Value } from '../op.js';
import type { ReferenceTensor } from '../reference-tensor.js';
import { resolveShape } from '../shapes.js';
import { randomTensor, uniform } from './random-tensor.js';
import type { Sample } from './sample.js';

export interface DifferentiatedSample {
  /**
   * Outputs: `y` the value, `total` a weighted sum of it, `moved` its derivative along v, `g0…` the gradient of the total,
   * `h0…` the derivative of that along v.
   */
  readonly graph: Graph;
  /** The values behind the outputs. */
  readonly ends: readonly Value[];
}

/** A sample with its first derivatives in both directions, and the forward derivative of the reverse one. */
export function differentiated(sample: Sample): DifferentiatedSample {
  const builder = new GraphBuilder();
  const inputs = sample.inputs.map((shape, i) => builder.input({ name: `x${i}`, role: 'data', dtype: 'float32', shape }));
  const moves = sample.inputs.map((shape, i) => builder.input({ name: `v${i}`, role: 'vector', dtype: 'float32', shape }));
  const y = sample.make(builder, inputs);
  // A weight of its own for each number of the result, so that no error cancels in the sum.
  const weight = builder.input({ name: 'weight', role: 'data', dtype: 'float32', shape: y.shape });
  const total = reduceSum(
    builder,
    mul(builder, y, weight),
    y.shape.map((_, axis) => axis),
  );
  const tangents = new Map(inputs.map((input, i) => [input, moves[i] ?? input]));
  const gradients = reverse(builder, total, inputs).map((g, i) => g ?? mul(builder, inputs[i] ?? total, builder.scalar(0)));
  const [moved] = forward(builder, [y], tangents);
  const second = forward(builder, gradients, tangents).map((g, i) => g ?? mul(builder, inputs[i] ?? total, builder.scalar(0)));
  const outputs = [
    { name: 'y', value: y },
    { name: 'total', value: total },
    { name: 'moved', value: moved ?? mul(builder, y, builder.scalar(0)) },
    ...gradients.map((value, i) => ({ name: `g${i}`, value })),
    ...second.map((value, i) => ({ name: `h${i}`, value })),
  ];
  return { graph: builder.build(outputs, ['data', 'vector']), ends: outputs.map((output) => output.value) };
}

/** Repeatable inputs of such a graph, in the range of the sample. */
export function sampleInputs(graph: Graph, sample: Sample, examples: number): Record<string, ReferenceTensor> {
  const next = uniform(7);
  return Object.fromEntries(
    graph.inputs.map(({ name, shape }) => [
      name,
      randomTensor(resolveShape(shape, examples), next, name.startsWith('x') ? sample.range : undefined),
    ]),
  );
}
