/**
 * The stability threshold Θ of an optimizer on a quadratic: the largest curvature at which its linear iteration does
 * not grow (PyTorch's forms of the updates; the eigenvalue −1 is reached first in all of them).
 *
 * | optimizer | update | Θ |
 * |---|---|---|
 * | gradient descent | θ −= ηg | 2/η |
 * | Polyak | v = βv + (1−d)g, θ −= ηv | (2+2β) / (η(1−d)) |
 * | Nesterov | v = βv + (1−d)g, θ −= η(g + βv) | (2+2β) / (η(1+β(2−d))) |
 * | Adam, AdamW | on P⁻¹H | (2+2β₁) / (η(1−β₁)) |
 * | NAdam | on P⁻¹H | (2+2β₁) / (η(1−β₁)(1+2β₁)) |
 * | RMSprop | on P⁻¹H; Polyak when it has momentum | (2+2β) / η |
 *
 * PyTorch ignores dampening when momentum is 0: whoever reads a PyTorch optimizer passes dampening 0 then.
 * For the adaptive ones the curvature to compare is λ1(P⁻¹H) with P = √(ν/(1−β₂ᵗ)) + ε, not λ1(H).
 */
export interface ThresholdOptimizer {
  /** `sgd`, `adam`, `adamw`, `nadam`, `rmsprop`; any other name has no threshold. */
  readonly name: string;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly beta1: number;
}

/**
 * Undefined when the optimizer has none, or a constant makes none possible; infinite at a learning rate of 0.
 *
 * @example stabilityThreshold({ name: 'sgd', momentum: 0.9, dampening: 0, nesterov: false, beta1: 0 }, 0.1) // 38
 */
export function stabilityThreshold(optimizer: ThresholdOptimizer, learningRate: number): number | undefined {
  if (!Number.isFinite(learningRate) || learningRate < 0) return undefined;
  const perRate = thresholdTimesRate(optimizer);
  return perRate === undefined || !(perRate > 0 && Number.isFinite(perRate)) ? undefined : perRate / learningRate;
}

/** True when Θ is to be compared with the preconditioned sharpness λ1(P⁻¹H). */
export function isPreconditioned(optimizerName: string): boolean {
  return ['adam', 'adamw', 'nadam', 'rmsprop'].includes(optimizerName.toLowerCase());
}

function thresholdTimesRate(optimizer: ThresholdOptimizer): number | undefined {
  switch (optimizer.name.toLowerCase()) {
    case 'sgd':
      return heavyBall(optimizer);
    case 'rmsprop':
      return optimizer.momentum === 0 ? adaptive(optimizer.beta1) : heavyBall({ ...optimizer, dampening: 0, nesterov: false });
    case 'adam':
    case 'adamw':
      return adaptive(optimizer.beta1);
    case 'nadam':
      return isDecay(optimizer.beta1) ? adaptive(optimizer.beta1)! / (1 + 2 * optimizer.beta1) : undefined;
    default:
      return undefined;
  }
}

function heavyBall({ momentum, dampening, nesterov }: ThresholdOptimizer): number | undefined {
  if (!isDecay(momentum)) return undefined;
  if (nesterov) return (2 + 2 * momentum) / (1 + momentum * (2 - dampening));
  return (2 + 2 * momentum) / (1 - dampening);
}

function adaptive(beta1: number): number | undefined {
  return isDecay(beta1) ? (2 + 2 * beta1) / (1 - beta1) : undefined;
}

function isDecay(value: number): boolean {
  return value >= 0 && value < 1;
}
