import { mul, reduceMean, reduceSum, sub } from '../emit.js';
import type { Value } from '../op.js';
import { outputAxes } from './loss.js';
import type { LossUse, Losses } from './loss.js';

/** Target as the prediction, and prediction − target. */
export function errorOf(use: LossUse): Value {
  return sub(use.builder, use.prediction, use.target({ dtype: 'float32', shape: use.prediction.shape, encoding: 'values' }));
}

/** Sum or mean over an example's outputs. */
export function overOutputs({ builder, spec }: LossUse, each: Value): Losses {
  const reduce = spec.reduction === 'mean-outputs' ? reduceMean : reduceSum;
  return { losses: reduce(builder, each, outputAxes(each)) };
}

/** (prediction − target)², times one half if wanted. */
export function squaredErrors(use: LossUse): Losses {
  const { builder, spec } = use;
  const error = errorOf(use);
  const { losses } = overOutputs(use, mul(builder, error, error));
  return { losses: mul(builder, losses, builder.scalar(spec.halved ? 0.5 : 1)) };
}
