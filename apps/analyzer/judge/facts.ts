import type { OptimizerFacts, RunFacts } from '#detectors/detector.js';
import { lossKindOf } from '#graph/loss-convention.js';
import type { OptimizerConstants, OptimizerGroup as GroupFacts } from '#instruments/index.js';
import type { AttachRunRequest, LossConvention, OptimizerGroup } from '#wire/generated/messages.js';

/** What judgements depend on, out of what the job said of itself. */
export function runFacts(attached: AttachRunRequest): RunFacts {
  return {
    loss: lossKindOf(attached.loss?.kind) ?? 'unknown',
    optimizer: optimizerFacts(attached.optimizer),
    batch: batchFacts(attached),
    ...(attached.trainingExamples > 0 && { trainingExamples: attached.trainingExamples }),
  };
}

/** Full where the job says so; what it does not say is not known. */
function batchFacts({ batchSize, fullBatch, trainingExamples }: AttachRunRequest): RunFacts['batch'] {
  if (fullBatch || (trainingExamples > 0 && batchSize >= trainingExamples)) return 'full';
  return batchSize > 0 ? batchSize : 'unknown';
}

const reductions = {
  LOSS_REDUCTION_UNSPECIFIED: 'unknown',
  LOSS_REDUCTION_SUM_OUTPUTS: 'sum',
  LOSS_REDUCTION_MEAN_OUTPUTS: 'mean',
} as const;

export function lossFacts(loss: LossConvention | null): { kind: RunFacts['loss']; reduction: string; halved: boolean } {
  return {
    kind: lossKindOf(loss?.kind) ?? 'unknown',
    reduction: reductions[loss?.reduction ?? 'LOSS_REDUCTION_UNSPECIFIED'],
    halved: loss?.halved ?? false,
  };
}

/** An announcement of an older version has no groups. */
function groupFacts(groups: readonly OptimizerGroup[] | undefined): { readonly groups?: readonly GroupFacts[] } {
  if (groups === undefined || groups.length < 2) return {};
  return {
    groups: groups.map(({ learningRate, momentum, dampening, nesterov, beta1, weightDecay, parameters }) => ({
      learningRate,
      momentum,
      dampening: momentum === 0 ? 0 : dampening,
      nesterov,
      beta1,
      weightDecay,
      parameters,
    })),
  };
}

export function optimizerFacts(optimizer: AttachRunRequest['optimizer']): OptimizerConstants & OptimizerFacts {
  return {
    name: (optimizer?.name ?? 'unknown').toLowerCase(),
    momentum: optimizer?.momentum ?? 0,
    // PyTorch's SGD never applies dampening without momentum.
    dampening: (optimizer?.momentum ?? 0) === 0 ? 0 : (optimizer?.dampening ?? 0),
    nesterov: optimizer?.nesterov ?? false,
    beta1: optimizer?.beta1 ?? 0,
    beta2: optimizer?.beta2 ?? 0,
    epsilon: optimizer?.epsilon ?? 0,
    weightDecay: optimizer?.weightDecay ?? 0,
    decoupledDecay: optimizer?.decoupledDecay ?? false,
    ...groupFacts(optimizer?.groups),
  };
}
