import type { StepReadings } from '#detectors/detector.js';
import { keptPairs, lossesApart, type LossPair } from '#instruments/index.js';
import type { LossMemory, RunMemory } from './memory.js';

/** Compares what the job logs with what is measured, at the steps that have both. */
export function watchLosses(memory: RunMemory, complete: readonly StepReadings[]): RunMemory {
  const { attached, model } = memory;
  const batch = complete.findLast(({ readings }) => readings['batch_size'] !== undefined)?.readings['batch_size'];
  const batchSize = batch ?? memory.losses?.batchSize ?? attached.batchSize;
  const fresh = complete.flatMap(({ readings }): LossPair[] => {
    const [train, probe] = [readings['loss.train'], readings['loss.probe']];
    return train === undefined || probe === undefined || !Number.isFinite(train) ? [] : [{ train, probe }];
  });
  if (model === null || model.noisyTraining || (fresh.length === 0 && batchSize === memory.losses?.batchSize)) return memory;
  const pairs = [...(memory.losses?.pairs ?? []), ...fresh].slice(-keptPairs);
  const isWhole = attached.trainingExamples > 0 && attached.trainingExamples === model.train?.examples;
  const isFullBatch = isWhole && (attached.fullBatch || batchSize === attached.trainingExamples);
  const losses: LossMemory = { pairs, batchSize, apart: lossesApart(pairs, isFullBatch) };
  return { ...memory, losses };
}
