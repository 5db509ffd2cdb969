import { mul, sub } from '../emit.js';
import { softplus } from '../emit/activations.js';
import type { LossUse, Losses } from './loss.js';
import { overOutputs } from './squared-errors.js';

/**
 * −t ln σ(x) − (1 − t) ln(1 − σ(x)) = ln(1 + eˣ) − t x for each output x, its target t from 0 to 1: no sigmoid that rounds to 0 or 1
 * meets a logarithm.
 */
export function binaryCrossEntropy(use: LossUse): Losses {
  const { builder, prediction } = use;
  const target = use.target({ dtype: 'float32', shape: prediction.shape, encoding: 'values' });
  return overOutputs(use, sub(builder, softplus(builder, prediction), mul(builder, target, prediction)));
}
