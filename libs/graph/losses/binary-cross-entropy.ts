import { logSoftmax, mul, neg, reduceSum, reshape, sub, add } from '../emit.js';
import { overOutputs } from './squared-errors.js';
import type { LossUse, Losses } from './loss.js';

/**
 * −t ln σ(x) − (1 − t) ln(1 − σ(x)) for each output x, its target t from 0 to 1. Taken as the cross-entropy of the logits (0, x),
 * so that no sigmoid that rounds to 0 or 1 meets a logarithm.
 */
export function binaryCrossEntropy(use: LossUse): Losses {
  const { builder, prediction } = use;
  const { shape } = prediction;
  const target = use.target({ dtype: 'float32', shape, encoding: 'values' });
  const second = builder.constant([2], Float64Array.of(0, 1));
  const pair = [...shape, 1];
  const logits = mul(builder, reshape(builder, prediction, pair), second);
  const t = reshape(builder, target, pair);
  const shares = add(
    builder,
    mul(builder, t, second),
    mul(builder, sub(builder, builder.scalar(1), t), builder.constant([2], Float64Array.of(1, 0))),
  );
  return overOutputs(
    use,
    neg(builder, reduceSum(builder, mul(builder, shares, logSoftmax(builder, logits, shape.length)), [shape.length])),
  );
}
