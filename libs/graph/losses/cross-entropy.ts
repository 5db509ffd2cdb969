import type { GraphBuilder } from '../builder.js';
import { add, div, log, logSoftmax, mul, neg, reduceMean, reduceSum, reshape, transpose } from '../emit.js';
import { cast, equal, not, where } from '../emit/elementwise.js';
import { gatherElements } from '../emit/shape.js';
import { UnsupportedModel } from '../errors.js';
import type { GraphInput, GraphOutput, LossSpec } from '../graph.js';
import type { Value } from '../op.js';
import { operandOf } from '../ops/patterns.js';
import { isFree, showShape } from '../shapes.js';
import { outputAxes } from './loss.js';
import type { LossUse, Losses } from './loss.js';

/**
 * −Σ_c t_c ln p_c for each token (each example is one where there are no tokens). A class index c stands for t = e_c, and with
 * smoothing ε among K classes for (1 − ε) e_c + ε/K; the class that is ignored stands for zeros (Szegedy et al. 2016, section 7).
 *
 * The target's classes are always its last axis; of many classes it has the index only.
 */
export function crossEntropy(use: LossUse): Losses {
  const prediction = classesLast(use);
  const classAxis = prediction.shape.length - 1;
  const classes = prediction.shape[classAxis];
  if (classAxis < 1 || typeof classes !== 'number') throw unfit(prediction);
  const { builder, spec, maxOneHotClasses } = use;
  const scores: Scores = { prediction, classes, classAxis };
  const indexed = spec.targets !== 'probabilities' && classes > maxOneHotClasses;
  const { losses, counted } = indexed ? picked(use, scores) : weighed(use, scores);
  return overTokens(builder, losses, counted, spec);
}

/** What the model says about each class, the classes being the last axis. */
interface Scores {
  readonly prediction: Value;
  readonly classes: number;
  readonly classAxis: number;
}

interface OfTokens {
  readonly losses: Value;
  /** 1 for each token that counts; undefined where all do. */
  readonly counted: Value | undefined;
}

const ofClasses = (classes: number, { ignoredClass }: LossSpec): Pick<GraphInput, 'classes' | 'ignoredClass'> => ({
  classes,
  ...(ignoredClass !== undefined && { ignoredClass }),
});

/** The log-probability of every class, times its share of the target. */
function weighed(use: LossUse, { prediction, classes, classAxis }: Scores): OfTokens {
  const { builder, spec, meaning } = use;
  const counted = spec.targets !== 'probabilities';
  const target = use.target({
    dtype: 'float32',
    shape: prediction.shape,
    encoding: counted ? 'one-hot' : 'values',
    ...(counted && ofClasses(classes, spec)),
  });
  const logProbabilities = logProbabilitiesOf(builder, prediction, classAxis, meaning);
  const smoothed = smooth(builder, target, classes, spec);
  return {
    losses: neg(builder, reduceSum(builder, mul(builder, smoothed, logProbabilities), [classAxis])),
    counted: spec.ignoredClass === undefined ? undefined : reduceSum(builder, target, [classAxis]),
  };
}

/**
 * The log-probability of the target's class alone: no tensor of the classes comes in, and products do not need the target.
 * The index that is ignored need not be that of a class (−100 is none); class 0 is picked in its place and not chosen.
 */
function picked(use: LossUse, { prediction, classes, classAxis }: Scores): OfTokens {
  const { builder, spec, meaning } = use;
  const shape = prediction.shape.slice(0, classAxis);
  const target = use.target({ dtype: 'int64', shape, encoding: 'index', ...ofClasses(classes, spec) });
  const whole = (value: number): Value => builder.constant([], Float64Array.of(value), 'int64');
  const ignored = spec.ignoredClass === undefined ? undefined : equal(builder, target, whole(spec.ignoredClass));
  const known = ignored === undefined ? target : where(builder, ignored, whole(0), target);
  const indices = reshape(builder, known, [...shape, 1]);
  const pick = (x: Value): Value => reshape(builder, gatherElements(builder, x, indices, classAxis), shape);
  const logProbabilities = logProbabilitiesOf(builder, prediction, classAxis, meaning);
  // A probability of 0 of another class has no part in this.
  const one = operandOf(logProbabilities, 'log') === prediction ? log(builder, pick(prediction)) : pick(logProbabilities);
  const share = spec.labelSmoothing ?? 0;
  const all = (): Value => mul(builder, reduceSum(builder, logProbabilities, [classAxis]), builder.scalar(share / classes));
  const smoothed = share === 0 ? one : add(builder, mul(builder, one, builder.scalar(1 - share)), all());
  const losses = neg(builder, smoothed);
  if (ignored === undefined) return { losses, counted: undefined };
  return {
    losses: where(builder, ignored, builder.scalar(0), losses),
    counted: cast(builder, not(builder, ignored), 'float32'),
  };
}

const unfit = ({ shape }: Value): UnsupportedModel =>
  new UnsupportedModel(`Cross-entropy of an output of shape ${showShape(shape)}`, {
    field: 'output',
    value: showShape(shape),
    expected: '[batch, classes] or [batch, tokens, classes]',
  });

function classesLast({ builder, prediction, spec }: LossUse): Value {
  const rank = prediction.shape.length;
  if (spec.classAxis !== 'second' || rank < 3) return prediction;
  return transpose(builder, prediction, [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1]);
}

function logProbabilitiesOf(builder: GraphBuilder, prediction: Value, axis: number, meaning: GraphOutput['meaning']): Value {
  const logits = meaning === 'probabilities' ? operandOf(prediction, 'softmax') : prediction;
  return logits === undefined ? log(builder, prediction) : logSoftmax(builder, logits, axis);
}

function smooth(builder: GraphBuilder, target: Value, classes: number, spec: LossSpec): Value {
  const share = spec.labelSmoothing ?? 0;
  if (share === 0) return target;
  const even = builder.scalar(share / classes);
  const kept = mul(builder, target, builder.scalar(1 - share));
  if (spec.ignoredClass === undefined) return add(builder, kept, even);
  // The row of a class that is ignored stays zeros.
  return add(builder, kept, mul(builder, reduceSum(builder, target, [target.shape.length - 1], true), even));
}

function overTokens(builder: GraphBuilder, perToken: Value, counted: Value | undefined, { tokens = 'mean' }: LossSpec): Losses {
  const axes = outputAxes(perToken);
  if (axes.some((axis) => isFree(perToken.shape[axis]))) throw unfit(perToken);
  const sum = reduceSum(builder, perToken, axes);
  if (tokens === 'sum') return { losses: sum };
  // All examples have as many tokens: the mean over all is the mean of their means.
  if (counted === undefined) return { losses: reduceMean(builder, perToken, axes) };
  const weights = reduceSum(builder, counted, axes);
  return tokens === 'mean' ? { losses: sum, weights } : { losses: div(builder, sum, weights) };
}
