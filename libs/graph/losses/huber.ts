import { mul, sub } from '../emit.js';
import { clip } from '../emit/elementwise.js';
import { errorOf, overOutputs } from './squared-errors.js';
import type { LossUse, Losses } from './loss.js';

/**
 * Huber 1964: ½e² up to δ, δ(|e| − ½δ) beyond. With c = e held within ±δ both are c(e − ½c). Smooth L1 is the same over δ.
 */
export function huber(use: LossUse): Losses {
  const { builder, spec } = use;
  const delta = spec.delta ?? 1;
  const error = errorOf(use);
  const held = clip(builder, error, { low: -delta, high: delta });
  const each = mul(builder, held, sub(builder, error, mul(builder, held, builder.scalar(0.5))));
  const { losses } = overOutputs(use, each);
  return { losses: spec.kind === 'huber' ? losses : mul(builder, losses, builder.scalar(1 / delta)) };
}
