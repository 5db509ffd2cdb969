import { GraphBuilder, nameOf } from './builder.js';
import { forward, pullback } from './differentiate.js';
import type { Graph } from './graph.js';
import { pairs, vectorInputs } from './linearize.js';
import type { Value } from './op.js';
import { parametersOf } from './queries.js';

/** Outputs `prediction` and `tangent`: J·v, the prediction's movement along a vector of the parameters. */
export interface JvpGraph {
  readonly graph: Graph;
  /** One input for each parameter. */
  readonly vectors: readonly string[];
}

/** For a graph with an output `prediction`, as `attachLoss` makes it. */
export function jvp(training: Graph): JvpGraph {
  const { builder, parameters, prediction } = network(training);
  const vectors = vectorInputs(builder, parameters);
  const [moved] = forward(builder, [prediction], pairs(parameters, vectors));
  const tangent = moved ?? builder.filled(prediction.shape, 0);
  const outputs = [
    { name: 'prediction', value: prediction },
    { name: 'tangent', value: tangent },
  ];
  return { graph: builder.build(outputs, ['parameter', 'data', 'vector']), vectors: vectors.map(nameOf) };
}

/** Outputs `prediction` and Jᵀu, summed over the examples, for the input `cotangent` of the prediction's shape. */
export interface VjpGraph {
  readonly graph: Graph;
  /** One output for each parameter. */
  readonly gradients: readonly string[];
}

/** For a graph with an output `prediction`, as `attachLoss` makes it. */
export function vjp(training: Graph): VjpGraph {
  const { builder, parameters, prediction } = network(training);
  const { dtype, shape } = prediction;
  const cotangent = builder.input({ name: 'cotangent', role: 'vector', dtype, shape });
  const gradients = pullback(builder, new Map([[prediction, cotangent]]), parameters).map((value, i) => ({
    name: `gradient/${nameOf(parameters[i] ?? prediction)}`,
    value: value ?? builder.filled(parameters[i]?.shape ?? [], 0),
  }));
  const graph = builder.build([{ name: 'prediction', value: prediction }, ...gradients], ['parameter', 'data', 'vector']);
  return { graph, gradients: gradients.map(({ name }) => name) };
}

function network(training: Graph): { builder: GraphBuilder; parameters: readonly Value[]; prediction: Value } {
  const builder = new GraphBuilder();
  const inputs = new Map(training.inputs.map((input) => [input.name, builder.input(input)]));
  const prediction = builder.inline(training, inputs).get('prediction');
  if (prediction === undefined) throw new Error("The graph has no output 'prediction'");
  return { builder, parameters: parametersOf(training).map(({ name }) => inputs.get(name)!), prediction };
}
