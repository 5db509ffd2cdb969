import type { Record as WireRecord } from '#wire/generated/messages.js';
import { feedComplete } from './feed.js';
import type { RunMemory } from './memory.js';
import type { Cause, Outcome } from './outcome.js';
import { withSnapshot } from './outstanding.js';
import { addSnapshot } from './pending-steps.js';

/**
 * A snapshot has come. With a model it is outstanding until the log says what became of it; without one it will never be
 * measured. The newest one stays on disk, the one before goes when nobody is going to measure it.
 */
export function takeSnapshot(memory: RunMemory, record: WireRecord, cause: Cause): Outcome {
  const { blob, learningRate } = record.snapshot!;
  const isMeasured = memory.model !== null;
  const outstanding = isMeasured ? withSnapshot(memory.outstanding, record, cause) : memory.outstanding;
  const before = memory.newestSnapshot?.blob;
  const isNeedless = before !== undefined && before !== blob && !outstanding.snapshots.some((other) => other.blob === before);
  const next: RunMemory = {
    ...memory,
    outstanding,
    newestSnapshot: { blob, step: record.step },
    garbage: isNeedless ? [...memory.garbage, before] : memory.garbage,
  };
  const position = isMeasured ? cause.position : undefined;
  return feedComplete(next, addSnapshot(next.pending, record.step, rate(learningRate), position), cause);
}

/** A rate of 0 is what a probe sends that does not know it; taken as true it would mean that nothing is ever unstable. */
function rate(learningRate: number): Record<string, number> {
  return learningRate > 0 && Number.isFinite(learningRate) ? { lr: learningRate } : {};
}
