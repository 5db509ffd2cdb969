import type { LossConvention } from '#wire/generated/messages.js';

/** What one example's loss is; the training loss is its mean over examples (over tokens where `tokens` says so). */
export interface LossOption {
  readonly kind: keyof typeof kinds;
  /** Over an example's outputs. Default: their mean. */
  readonly reduction?: keyof typeof reductions;
  /** Of squared errors: times one half. */
  readonly halved?: boolean;
  /** Of cross-entropy: this share of a target is spread over all classes. */
  readonly labelSmoothing?: number;
  /** Of cross-entropy: a class index that does not count. */
  readonly ignoredClass?: number;
  /** Of cross-entropy: class indices (by default), or a probability for each class. */
  readonly targets?: 'classes' | 'probabilities';
  /** Of cross-entropy over tokens: where the classes stand. Default: last. */
  readonly classAxis?: 'last' | 'second';
  readonly tokens?: keyof typeof tokens;
  /** Of Huber and smooth L1. Default: 1. */
  readonly delta?: number;
  /** Of `output`: the model's output with the losses, and its input for the targets. */
  readonly output?: string;
  readonly target?: string;
  /** Decay that is part of the loss: ½ · strength · ‖θ‖², of these parameters or of all. */
  readonly weightDecay?: { readonly strength: number; readonly parameters?: readonly string[] };
}

const kinds = {
  'cross-entropy': 'LOSS_KIND_CROSS_ENTROPY',
  mse: 'LOSS_KIND_MEAN_SQUARED_ERROR',
  'binary-cross-entropy': 'LOSS_KIND_BINARY_CROSS_ENTROPY',
  huber: 'LOSS_KIND_HUBER',
  'smooth-l1': 'LOSS_KIND_SMOOTH_L1',
  output: 'LOSS_KIND_OUTPUT',
} as const;
const reductions = { 'sum-outputs': 'LOSS_REDUCTION_SUM_OUTPUTS', 'mean-outputs': 'LOSS_REDUCTION_MEAN_OUTPUTS' } as const;
const tokens = { mean: 'LOSS_TOKENS_MEAN', 'example-mean': 'LOSS_TOKENS_EXAMPLE_MEAN', sum: 'LOSS_TOKENS_SUM' } as const;

export function lossConvention(loss: LossOption): LossConvention {
  return {
    kind: kinds[loss.kind],
    reduction: reductions[loss.reduction ?? 'mean-outputs'],
    halved: loss.halved ?? false,
    labelSmoothing: loss.labelSmoothing ?? 0,
    ...(loss.ignoredClass === undefined ? {} : { ignoredClass: loss.ignoredClass }),
    probabilities: loss.targets === 'probabilities',
    classesSecond: loss.classAxis === 'second',
    tokens: tokens[loss.tokens ?? 'mean'],
    delta: loss.delta ?? 0,
    output: loss.output ?? '',
    target: loss.target ?? '',
    weights: '',
    weightDecay: loss.weightDecay?.strength ?? 0,
    weightDecayParameters: [...(loss.weightDecay?.parameters ?? [])],
  };
}
