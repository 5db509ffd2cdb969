import type { Record as WireRecord } from '#wire/generated/messages.js';
import { feedComplete } from './feed.js';
import type { RunMemory } from './memory.js';
import { quiet, type Cause, type Outcome } from './outcome.js';
import { withSnapshot } from './outstanding.js';
import { addArrived, addMeasured, addSnapshot } from './pending-steps.js';

/** So many announced snapshots hold judgements up; what a probe announces beyond is measured when it comes, and judged late. */
const maxAwaited = 256;

/** A snapshot is on its way: what is judged of its step waits for it, while whatever else the job says goes on. */
export function announceSnapshot(memory: RunMemory, record: WireRecord, cause: Cause): Outcome {
  const { learningRate } = record.taken!;
  const isAwaited = memory.model !== null && memory.awaited.length < maxAwaited;
  const { position } = cause;
  const awaited = isAwaited ? [...memory.awaited, { sequence: record.sequence, step: record.step, position }] : memory.awaited;
  const next = { ...memory, awaited };
  return feedComplete(next, addSnapshot(next.pending, record.step, rate(learningRate), isAwaited ? position : undefined), cause);
}

/** Announced snapshots will not come. */
export function withdrawSnapshots(memory: RunMemory, sequences: readonly number[], cause: Cause, already = 0): Outcome {
  const gone = memory.awaited.filter(({ sequence }) => sequences.includes(sequence));
  if (gone.length === 0) return quiet(memory);
  const awaited = memory.awaited.filter((known) => !gone.includes(known));
  const positions = gone.map(({ position }) => position);
  return feedComplete({ ...memory, awaited }, addMeasured(memory.pending, positions, {}), cause, already);
}

/**
 * A snapshot has come. With a model it is outstanding until the log says what became of it; without one it will never be
 * measured. The newest one stays on disk, the one before goes when nobody is going to measure it.
 */
export function takeSnapshot(memory: RunMemory, record: WireRecord, cause: Cause): Outcome {
  const { taken, blob, learningRate } = record.snapshot!;
  const announced = taken === 0 ? undefined : memory.awaited.find(({ sequence }) => sequence === taken);
  const step = taken === 0 ? record.step : record.snapshot!.step;
  const isMeasured = memory.model !== null;
  const outstanding = isMeasured ? withSnapshot(memory.outstanding, record, step, cause) : memory.outstanding;
  const before = memory.newestSnapshot?.blob;
  const isNeedless = before !== undefined && before !== blob && !outstanding.snapshots.some((other) => other.blob === before);
  const next: RunMemory = {
    ...memory,
    outstanding,
    awaited: memory.awaited.filter((known) => known !== announced),
    newestSnapshot: { blob, step },
    garbage: isNeedless ? [...memory.garbage, before] : memory.garbage,
  };
  const position = isMeasured ? cause.position : undefined;
  if (announced === undefined) return feedComplete(next, addSnapshot(next.pending, step, rate(learningRate), position), cause);
  if (position === undefined) return feedComplete(next, addMeasured(next.pending, [announced.position], {}), cause);
  return quiet({ ...next, pending: addArrived(next.pending, announced.position, position) });
}

/** A rate of 0 is what a probe sends that does not know it; taken as true it would mean that nothing is ever unstable. */
function rate(learningRate: number): Record<string, number> {
  return learningRate > 0 && Number.isFinite(learningRate) ? { lr: learningRate } : {};
}
