import type { GraphBuilder } from '../builder.js';
import { add, div, log, logSoftmax, mul, neg, reduceMean, reduceSum, transpose } from '../emit.js';
import { UnsupportedModel } from '../errors.js';
import type { GraphOutput, LossSpec } from '../graph.js';
import type { Value } from '../op.js';
import { operandOf } from '../ops/patterns.js';
import { isFree, showShape } from '../shapes.js';
import { outputAxes } from './loss.js';
import type { LossUse, Losses } from './loss.js';

/**
 * −Σ_c t_c ln p_c for each token (each example is one where there are no tokens). A class index c stands for t = e_c, and with
 * smoothing ε among K classes for (1 − ε) e_c + ε/K; the class that is ignored stands for zeros (Szegedy et al. 2016, section 7).
 *
 * The target's classes are always its last axis.
 */
export function crossEntropy(use: LossUse): Losses {
  const { builder, spec } = use;
  const prediction = classesLast(use);
  const classAxis = prediction.shape.length - 1;
  const classes = prediction.shape[classAxis];
  if (classAxis < 1 || typeof classes !== 'number') throw unfit(prediction);
  const counted = spec.targets !== 'probabilities';
  const target = use.target({
    dtype: 'float32',
    shape: prediction.shape,
    encoding: counted ? 'one-hot' : 'values',
    ...(counted && { classes }),
    ...(counted && spec.ignoredClass !== undefined && { ignoredClass: spec.ignoredClass }),
  });
  const logProbabilities = logProbabilitiesOf(builder, prediction, classAxis, use.meaning);
  const smoothed = smooth(builder, target, classes, spec);
  const perToken = neg(builder, reduceSum(builder, mul(builder, smoothed, logProbabilities), [classAxis]));
  return overTokens(builder, perToken, counts(builder, target, classAxis, spec), spec);
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

/** 1 for each token that counts; undefined where all do. */
const counts = (builder: GraphBuilder, target: Value, classAxis: number, { ignoredClass }: LossSpec): Value | undefined =>
  ignoredClass === undefined ? undefined : reduceSum(builder, target, [classAxis]);

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
