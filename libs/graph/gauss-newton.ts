/**
 * Products with the generalised Gauss-Newton matrix Jᵀ H_L J: J is the Jacobian of the prediction by the parameters, H_L the
 * Hessian of the loss by the prediction (Schraudolph 2002, "Fast curvature matrix-vector products for second-order gradient
 * descent"). What the loss has of the parameters directly, as weight decay, is added with its own Hessian.
 */
import { GraphBuilder } from './builder.js';
import { forward, pullback, reverse } from './differentiate.js';
import { addIfAny } from './emit.js';
import { UnsupportedModel } from './errors.js';
import { emitGradient } from './gradient.js';
import type { Graph, GraphInput, LinearizedGraph, LossSpec } from './graph.js';
import { pairs, separate, vectorInputs } from './linearize.js';
import type { LinearizeOptions } from './linearize.js';
import { lossPart } from './loss-cut.js';
import type { LossPart } from './loss-cut.js';
import type { Value } from './op.js';
import { parametersOf } from './queries.js';
import { spatialFirst } from './spatial-first/spatial-first.js';

/** For a training graph as `attachLoss` makes it; split as `linearize` splits the Hessian's products. */
export function gaussNewton(given: Graph, { convolutions = 'products' }: LinearizeOptions = {}): LinearizedGraph {
  const training = convolutions === 'products' ? spatialFirst(given) : given;
  const part = lossPart(training);
  const builder = new GraphBuilder();
  const inputs = new Map(training.inputs.map((input) => [input.name, builder.input(input)]));
  const prediction = builder.inline(training, inputs).get(part.prediction);
  if (prediction === undefined) throw new Error(`The graph has no value '${part.prediction}'`);
  const primal = emitGradient(builder, training, inputs);
  const vectors = vectorInputs(builder, primal.parameters);
  const [moved] = forward(builder, [prediction], pairs(primal.parameters, vectors));
  const hessian = lossHessian(part, parametersOf(training));
  const bound = new Map([...inputs, ...vectors.map((vector, i) => [hessian.vectors[i] ?? '', vector] as const)]);
  bound.set(hessian.prediction, prediction);
  bound.set(hessian.direction, moved ?? builder.filled(prediction.shape, 0));
  const values = builder.inline(hessian.graph, new Map(hessian.graph.inputs.map(({ name }) => [name, bound.get(name)!])));
  const curved = values.get('curved');
  const back = curved === undefined ? [] : pullback(builder, new Map([[prediction, curved]]), primal.parameters);
  const products = primal.parameters.map((_, i) => addIfAny(builder, back[i], values.get(`direct/${i}`)));
  return separate(builder, primal, vectors, products);
}

/**
 * Products with the Fisher information of the distribution that the model itself predicts: softmax for cross-entropy,
 * Bernoulli for its binary form, Gaussian for squared errors. These are exponential families with the prediction as natural
 * parameter, so their Fisher information is the Gauss-Newton matrix (Martens 2020, "New insights and perspectives on the
 * natural gradient method", section 9.2). A loss that is no such family's is refused.
 */
export function generalizedFisher(training: Graph, { kind }: Pick<LossSpec, 'kind'>): LinearizedGraph {
  if (kind === 'cross-entropy' || kind === 'binary-cross-entropy' || kind === 'mse') return gaussNewton(training);
  throw new UnsupportedModel(`The loss '${kind}' belongs to no distribution whose Fisher information is known here`, {
    field: 'loss.kind',
    value: kind,
    expected: 'cross-entropy, binary-cross-entropy or mse',
  });
}

interface LossHessian {
  /** Outputs `curved` (by the prediction) and `direct/i` (by parameter i), each where it is not zero. */
  readonly graph: Graph;
  readonly prediction: string;
  readonly direction: string;
  readonly vectors: readonly string[];
}

/** How the loss's derivatives by the prediction and by the parameters move along a direction of both. */
function lossHessian({ graph, prediction }: LossPart, parameters: readonly GraphInput[]): LossHessian {
  const builder = new GraphBuilder();
  const inputs = new Map(graph.inputs.map((input) => [input.name, builder.input(input)]));
  const loss = builder.inline(graph, inputs).get('loss')!;
  const ends = [prediction, ...parameters.map(({ name }) => name)].map((name) => inputs.get(name)!);
  const names = ['direction', ...parameters.map((_, i) => `direction/${i}`)];
  const directions = ends.map(({ dtype, shape }, i) => builder.input({ name: names[i]!, role: 'vector', dtype, shape }));
  const slopes = reverse(builder, loss, ends);
  const used = slopes.flatMap((slope, i) => (slope === undefined ? [] : [{ slope, i }]));
  const moved = forward(
    builder,
    used.map(({ slope }) => slope),
    new Map(ends.map((end, i) => [end, directions[i]!])),
  );
  const outputs = used.flatMap(({ i }, k): { name: string; value: Value }[] => {
    const value = moved[k];
    return value === undefined ? [] : [{ name: i === 0 ? 'curved' : `direct/${i - 1}`, value }];
  });
  return { graph: builder.build(outputs), prediction, direction: 'direction', vectors: names.slice(1) };
}
