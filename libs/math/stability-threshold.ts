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
 * Where groups of parameters have rates of their own it is λ1(P⁻¹H) with P = diag(1/ηᵢ), and Θ is that of η = 1.
 */
export interface ThresholdOptimizer {
  /** `sgd`, `adam`, `adamw`, `nadam`, `rmsprop`; any other name has no threshold. */
  readonly name: string;
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
  readonly beta1: number;
  /** When there are several groups of parameters: each of them. */
  readonly groups?: readonly ThresholdGroup[];
}

export interface ThresholdGroup {
  readonly learningRate: number;
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
  if (!Number.isFinite(learningRate) || learningRate < 0 || !agree(optimizer.groups ?? [])) return undefined;
  const perRate = thresholdTimesRate(optimizer);
  if (perRate === undefined || !(perRate > 0 && Number.isFinite(perRate))) return undefined;
  if (!hasOwnRates(optimizer)) return perRate / learningRate;
  // Of the adaptive ones the metric would be that of both, and the optimizer's is not at hand.
  return isPreconditioned(optimizer.name) ? undefined : perRate;
}

/**
 * True when groups of parameters have learning rates of their own: descent in the metric P = diag(1/ηᵢ), for which the
 * threshold of the table is taken at η = 1 and compared with λ1(P⁻¹H), whatever the rates are.
 */
export function hasOwnRates({ groups = [] }: ThresholdOptimizer): boolean {
  return groups.some(({ learningRate }) => learningRate !== groups[0]!.learningRate);
}

/** True when Θ is to be compared with λ1(P⁻¹H), the preconditioned sharpness, and never with λ1(H). */
export function isComparedPreconditioned(optimizer: ThresholdOptimizer): boolean {
  return isPreconditioned(optimizer.name) || hasOwnRates(optimizer);
}

/** One threshold needs one rule: constants other than the rate are the same in all groups. */
function agree(groups: readonly ThresholdGroup[]): boolean {
  const rule = ({ momentum, dampening, nesterov, beta1 }: ThresholdGroup): string =>
    JSON.stringify([momentum, dampening, nesterov, beta1]);
  return groups.every((group) => rule(group) === rule(groups[0]!));
}

export const adaptiveOptimizers: readonly string[] = ['adam', 'adamw', 'nadam', 'rmsprop'];

/** True for the optimizers that adapt their step to each parameter. */
export function isPreconditioned(optimizerName: string): boolean {
  return adaptiveOptimizers.includes(optimizerName.toLowerCase());
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
