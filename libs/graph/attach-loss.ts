import { GraphBuilder, freshName } from './builder.js';
import { log, logSoftmax, mul, neg, reduceMean, reduceSum, sub } from './emit.js';
import { UnsupportedModel } from './errors.js';
import type { Graph, GraphOutput, LossSpec } from './graph.js';
import type { Value } from './op.js';
import { operandOf } from './ops/patterns.js';
import { isFree, showShape } from './shapes.js';

/**
 * Makes a training graph of a forward graph: one more input, the target, and the outputs `loss` (the SUM over the examples
 * that are fed, so that chunks can be added up), `losses` ([batch]) and `prediction`.
 *
 * Cross-entropy takes the output as logits, as PyTorch does (log-probabilities give the same number), except where the
 * importer knows that it gives probabilities, as tfjs models do that end in softmax. Its target is one-hot.
 */
export function attachLoss(forward: Graph, spec: LossSpec): Graph {
  const output = onlyOutput(forward);
  const builder = new GraphBuilder();
  const prediction = builder.inline(forward).get(output.name);
  if (prediction === undefined) throw new Error(`The graph has no value '${output.name}'`);
  checkPrediction(prediction, spec);
  const target = builder.input({
    name: freshName('target', new Set(forward.inputs.map((input) => input.name))),
    role: 'target',
    dtype: 'float32',
    shape: prediction.shape,
    encoding: spec.kind === 'cross-entropy' ? 'one-hot' : 'values',
  });
  const losses =
    spec.kind === 'cross-entropy'
      ? crossEntropy(builder, prediction, target, output.meaning)
      : squaredErrors(builder, prediction, target, spec);
  return builder.build([
    { name: 'loss', value: reduceSum(builder, losses, [0]) },
    { name: 'losses', value: losses },
    { name: 'prediction', value: prediction },
  ]);
}

function onlyOutput(forward: Graph): GraphOutput {
  const [output, ...others] = forward.outputs;
  if (output !== undefined && others.length === 0) return output;
  throw new UnsupportedModel(`A model with ${forward.outputs.length} outputs`, {
    field: 'outputs',
    value: forward.outputs.map(({ name }) => name).join(', '),
    expected: 'one output',
  });
}

function checkPrediction({ shape }: Value, { kind }: LossSpec): void {
  const expected = kind === 'cross-entropy' ? '[batch, classes]' : '[batch, outputs …]';
  const fits = shape[0] === 'batch' && !shape.slice(1).some(isFree) && (kind === 'mse' || shape.length === 2);
  if (!fits)
    throw new UnsupportedModel(`A loss of an output of shape ${showShape(shape)}`, {
      field: 'output',
      value: showShape(shape),
      expected,
    });
}

/** −Σ_c target_c ln p_c */
function crossEntropy(builder: GraphBuilder, prediction: Value, target: Value, meaning: GraphOutput['meaning']): Value {
  const logits = meaning === 'probabilities' ? operandOf(prediction, 'softmax') : prediction;
  const logProbabilities = logits === undefined ? log(builder, prediction) : logSoftmax(builder, logits, 1);
  return neg(builder, reduceSum(builder, mul(builder, target, logProbabilities), [1]));
}

/** Σ_o or mean_o (prediction − target)², times one half if wanted. */
function squaredErrors(builder: GraphBuilder, prediction: Value, target: Value, { reduction, halved }: LossSpec): Value {
  const error = sub(builder, prediction, target);
  const outputAxes = prediction.shape.map((_, axis) => axis).slice(1);
  const reduce = reduction === 'mean-outputs' ? reduceMean : reduceSum;
  return mul(builder, reduce(builder, mul(builder, error, error), outputAxes), builder.scalar(halved ? 0.5 : 1));
}
