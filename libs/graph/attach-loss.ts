import { GraphBuilder, freshName } from './builder.js';
import { add, mul, reduceSum, reshape } from './emit.js';
import { UnsupportedModel } from './errors.js';
import type { Graph, GraphInput, GraphOutput, LossSpec } from './graph.js';
import { binaryCrossEntropy } from './losses/binary-cross-entropy.js';
import { checkLoss } from './losses/check-loss.js';
import { crossEntropy } from './losses/cross-entropy.js';
import { huber } from './losses/huber.js';
import type { LossUse, Losses } from './losses/loss.js';
import { squaredErrors } from './losses/squared-errors.js';
import type { Value } from './op.js';
import { parametersOf } from './queries.js';
import { factorOf, isFree, showShape } from './shapes.js';

/**
 * On ONNX Runtime the gradient of a loss takes a tenth less time with indices than with rows, from a hundred classes on, and three
 * tenths less memory; products take as long. Rows keep to ops that look at one element at a time, which every executor does well.
 */
const DEFAULT_ONE_HOT_CLASSES = 256;

export interface AttachLossOptions {
  readonly maxOneHotClasses?: number;
}

/**
 * Makes a training graph of a forward graph: one more input, the target, and the outputs `losses` ([batch]), `loss` (their SUM,
 * so that chunks can be added up), `prediction`, and, where examples do not weigh the same, `weights` ([batch]): the loss of a
 * probe set is Σ losses / Σ weights.
 *
 * Cross-entropy takes the output as logits, as PyTorch does (log-probabilities give the same number), except where the
 * importer knows that it gives probabilities, as tfjs models do that end in softmax. A target of few classes is one-hot, one of
 * many is their indices.
 */
export function attachLoss(
  forward: Graph,
  spec: LossSpec,
  { maxOneHotClasses = DEFAULT_ONE_HOT_CLASSES }: AttachLossOptions = {},
): Graph {
  const parameters = parametersOf(forward);
  checkLoss(
    spec,
    parameters.map(({ name }) => name),
  );
  const builder = new GraphBuilder();
  const values = builder.inline(spec.kind === 'output' ? withTarget(forward, spec) : forward);
  const valueOf = ({ name }: GraphOutput | GraphInput): Value => {
    const value = values.get(name);
    if (value === undefined) throw new Error(`The graph has no value '${name}'`);
    return value;
  };
  const output = predictionOf(forward, spec);
  const prediction = perExample(builder, valueOf(output));
  const use: LossUse = {
    builder,
    spec,
    prediction,
    meaning: output.meaning,
    maxOneHotClasses,
    target: (input) =>
      builder.input({ ...input, role: 'target', name: freshName('target', new Set(forward.inputs.map(({ name }) => name))) }),
  };
  const { losses, weights } = withDecay(
    builder,
    spec.kind === 'output' ? ownLosses(builder, values, spec) : rules[spec.kind](use),
    decayed(forward, spec).map(valueOf),
    spec.weightDecay?.strength ?? 0,
  );
  return builder.build([
    { name: 'loss', value: reduceSum(builder, losses, [0]) },
    { name: 'losses', value: losses },
    { name: 'prediction', value: prediction },
    ...(weights === undefined ? [] : [{ name: 'weights', value: weights }]),
  ]);
}

const rules: Readonly<Record<Exclude<LossSpec['kind'], 'output'>, (use: LossUse) => Losses>> = {
  'binary-cross-entropy': binaryCrossEntropy,
  'cross-entropy': crossEntropy,
  huber,
  mse: squaredErrors,
  'smooth-l1': huber,
};

/** The model's output that is no loss; the losses themselves where there is no other. */
function predictionOf({ outputs }: Graph, spec: LossSpec): GraphOutput {
  const plain = outputs.filter(({ name }) => name !== spec.output && name !== spec.weights);
  const [output, ...others] = plain.length > 0 ? plain : outputs;
  if (output !== undefined && (others.length === 0 || spec.kind === 'output')) return output;
  throw new UnsupportedModel(`A model with ${outputs.length} outputs`, {
    field: 'outputs',
    value: outputs.map(({ name }) => name).join(', '),
    expected: 'one output',
  });
}

/** Examples first, apart from what was merged with them (`logits.view(-1, classes)`). */
function perExample(builder: GraphBuilder, value: Value): Value {
  const [first, ...rest] = value.shape;
  if (!isFree(first) || rest.some(isFree)) {
    throw new UnsupportedModel(`A loss of an output of shape ${showShape(value.shape)}`, {
      field: 'output',
      value: showShape(value.shape),
      expected: '[batch, outputs …]',
    });
  }
  return first === 'batch' ? value : reshape(builder, value, ['batch', factorOf(first), ...rest]);
}

/** The model's input that takes the targets gets that role. */
function withTarget(forward: Graph, { target }: LossSpec): Graph {
  if (target === undefined) return forward;
  if (!forward.inputs.some(({ name, role }) => name === target && role === 'data')) {
    const names = forward.inputs.flatMap(({ name, role }) => (role === 'data' ? [name] : [])).join(', ');
    throw new UnsupportedModel(`The model has no data input '${target}' for the targets`, {
      field: 'loss.target',
      value: target,
      expected: `one of ${names}`,
    });
  }
  const asTarget = (input: GraphInput): GraphInput =>
    input.name === target ? { ...input, role: 'target', encoding: input.dtype === 'int64' ? 'index' : 'values' } : input;
  return { ...forward, inputs: forward.inputs.map(asTarget) };
}

function ownLosses(builder: GraphBuilder, values: ReadonlyMap<string, Value>, spec: LossSpec): Losses {
  const losses = ofExamples(builder, values, 'output', spec.output ?? '');
  return spec.weights === undefined ? { losses } : { losses, weights: ofExamples(builder, values, 'weights', spec.weights) };
}

function ofExamples(builder: GraphBuilder, values: ReadonlyMap<string, Value>, field: string, output: string): Value {
  const value = values.get(output);
  const [first, ...rest] = value?.shape ?? [];
  if (value !== undefined && first === 'batch' && rest.every((dim) => dim === 1)) return reshape(builder, value, ['batch']);
  throw new UnsupportedModel(`The model gives nothing for single examples as '${output}'`, {
    field: `loss.${field}`,
    value: value === undefined ? output : `${output} ${showShape(value.shape)}`,
    expected: 'an output of shape [batch]: of each example, not their mean',
  });
}

const decayed = (forward: Graph, { weightDecay }: LossSpec): readonly GraphInput[] =>
  weightDecay === undefined ? [] : parametersOf(forward).filter(({ name }) => weightDecay.parameters?.includes(name) ?? true);

/** Every example carries the penalty in proportion to its weight, so the mean has it once, in how many chunks it ever is taken. */
function withDecay(builder: GraphBuilder, { losses, weights }: Losses, parameters: readonly Value[], strength: number): Losses {
  if (strength === 0 || parameters.length === 0) return weights === undefined ? { losses } : { losses, weights };
  const squares = parameters.map((parameter) =>
    reduceSum(
      builder,
      mul(builder, parameter, parameter),
      parameter.shape.map((_, axis) => axis),
    ),
  );
  const penalty = mul(
    builder,
    squares.reduce((sum, square) => add(builder, sum, square)),
    builder.scalar(strength / 2),
  );
  if (weights === undefined) return { losses: add(builder, losses, penalty) };
  return { losses: add(builder, losses, mul(builder, weights, penalty)), weights };
}
