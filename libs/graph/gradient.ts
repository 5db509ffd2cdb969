import { GraphBuilder, nameOf } from './builder.js';
import type { NamedValue } from './builder.js';
import { reverse } from './differentiate.js';
import { mul } from './emit.js';
import type { GradientGraph, Graph } from './graph.js';
import type { Value } from './op.js';
import { parametersOf } from './queries.js';

export interface GradientValues {
  readonly loss: Value;
  readonly losses: Value;
  /** Where examples do not weigh the same. */
  readonly weights: Value | undefined;
  readonly parameters: readonly Value[];
  /** Zeros where the loss does not depend on a parameter. */
  readonly gradients: readonly Value[];
}

const valueOf = (values: ReadonlyMap<string, Value>, name: string): Value => {
  const value = values.get(name);
  if (value === undefined) throw new Error(`A training graph has '${name}'; attachLoss makes one`);
  return value;
};

/** Inlines a training graph, with its gradient, which is divided by `divisor` where it costs nothing: at its beginning. */
export function emitGradient(
  builder: GraphBuilder,
  training: Graph,
  inputs: ReadonlyMap<string, Value> = new Map(training.inputs.map((input) => [input.name, builder.input(input)])),
  divisor = 1,
): GradientValues {
  const values = builder.inline(training, inputs);
  const loss = valueOf(values, 'loss');
  // Not by the names of values: a parameter may be called as an output is.
  const parameters = parametersOf(training).map((parameter) => valueOf(inputs, parameter.name));
  const start = mul(builder, loss, builder.scalar(1 / divisor));
  const gradients = reverse(builder, start, parameters).map(
    (gradient, i) => gradient ?? builder.filled(parameters[i]?.shape ?? [], 0),
  );
  const weights = training.outputs.some(({ name }) => name === 'weights') ? valueOf(values, 'weights') : undefined;
  return { loss, losses: valueOf(values, 'losses'), weights, parameters, gradients };
}

export function gradientOutputs({ loss, losses, weights, parameters, gradients }: GradientValues): {
  readonly outputs: readonly NamedValue[];
  readonly names: Omit<GradientGraph, 'graph'>;
} {
  const names = parameters.map((parameter) => `gradient/${nameOf(parameter)}`);
  const outputs = [
    { name: 'loss', value: loss },
    { name: 'losses', value: losses },
    ...(weights === undefined ? [] : [{ name: 'weights', value: weights }]),
    ...gradients.map((value, i) => ({ name: names[i] ?? '', value })),
  ];
  const weighted = weights === undefined ? {} : { weights: 'weights' };
  return { outputs, names: { loss: 'loss', losses: 'losses', ...weighted, gradients: names } };
}

/** Loss and gradient of a training graph (`attachLoss`), both summed over the examples that are fed. */
export function gradient(training: Graph): GradientGraph {
  const builder = new GraphBuilder();
  const { outputs, names } = gradientOutputs(emitGradient(builder, training));
  return { graph: builder.build(outputs), ...names };
}
