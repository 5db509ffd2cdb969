import type { LossSpec } from './graph.js';

/** A loss as it travels (`LossConvention` of the wire); what is left out has proto's zero. */
export interface LossConventionLike {
  readonly kind: string;
  readonly reduction?: string;
  readonly halved?: boolean;
  readonly labelSmoothing?: number;
  readonly ignoredClass?: number;
  readonly probabilities?: boolean;
  readonly classesSecond?: boolean;
  readonly tokens?: string;
  readonly delta?: number;
  readonly output?: string;
  readonly weights?: string;
  readonly target?: string;
  readonly weightDecay?: number;
  readonly weightDecayParameters?: readonly string[];
}

const kinds: Readonly<Record<string, LossSpec['kind']>> = {
  LOSS_KIND_CROSS_ENTROPY: 'cross-entropy',
  LOSS_KIND_MEAN_SQUARED_ERROR: 'mse',
  LOSS_KIND_BINARY_CROSS_ENTROPY: 'binary-cross-entropy',
  LOSS_KIND_HUBER: 'huber',
  LOSS_KIND_SMOOTH_L1: 'smooth-l1',
  LOSS_KIND_OUTPUT: 'output',
};

const tokens: Readonly<Record<string, NonNullable<LossSpec['tokens']>>> = {
  LOSS_TOKENS_EXAMPLE_MEAN: 'example-mean',
  LOSS_TOKENS_SUM: 'sum',
};

/** Undefined for a kind that nothing is known of. */
export const lossKindOf = (kind: string | undefined): LossSpec['kind'] | undefined => kinds[kind ?? ''];

/** Undefined for a loss that nothing is known of: such a run is watched, and not measured. */
export function lossSpecOf(loss: LossConventionLike | null | undefined): LossSpec | undefined {
  const kind = lossKindOf(loss?.kind);
  if (kind === undefined || !loss) return undefined;
  const reduction = loss.reduction === 'LOSS_REDUCTION_MEAN_OUTPUTS' ? 'mean-outputs' : 'sum-outputs';
  return {
    kind,
    reduction,
    halved: loss.halved ?? false,
    ...(loss.labelSmoothing ? { labelSmoothing: loss.labelSmoothing } : {}),
    ...(loss.ignoredClass === undefined ? {} : { ignoredClass: loss.ignoredClass }),
    ...(loss.probabilities === true ? { targets: 'probabilities' as const } : {}),
    ...(loss.classesSecond === true ? { classAxis: 'second' as const } : {}),
    ...(tokens[loss.tokens ?? ''] === undefined ? {} : { tokens: tokens[loss.tokens ?? '']! }),
    ...(loss.delta ? { delta: loss.delta } : {}),
    ...(loss.output ? { output: loss.output } : {}),
    ...(loss.weights ? { weights: loss.weights } : {}),
    ...(loss.target ? { target: loss.target } : {}),
    ...(loss.weightDecay
      ? {
          weightDecay: {
            strength: loss.weightDecay,
            ...((loss.weightDecayParameters?.length ?? 0) > 0 ? { parameters: loss.weightDecayParameters! } : {}),
          },
        }
      : {}),
  };
}

/** The outputs of a model's file that such a loss is made of; undefined where the file's own first one is. */
export function lossOutputsOf(loss: LossSpec | undefined): readonly string[] | undefined {
  if (loss?.kind !== 'output') return undefined;
  return [loss.output ?? '', ...(loss.weights === undefined ? [] : [loss.weights])];
}
