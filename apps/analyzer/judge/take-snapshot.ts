import type { ReadingRow } from '#store/rows.js';
import type { Record as WireRecord } from '#wire/generated/messages.js';
import type { MeasureResult } from '../measure/measurer.js';
import type { RunMemory } from './memory.js';
import type { Cause } from './outcome.js';

/** What the memory keeps of a snapshot, and what is judged of it. The newest one stays on disk, the one before goes. */
export function takeSnapshot(
  memory: RunMemory,
  record: WireRecord,
  cause: Cause,
  measured: MeasureResult | undefined,
): { readonly memory: RunMemory; readonly judged: Readonly<Record<string, number>> } {
  const { blob, learningRate } = record.snapshot!;
  const garbage = [...memory.garbage];
  if (memory.newestSnapshot !== null && memory.newestSnapshot.blob !== blob) garbage.push(memory.newestSnapshot.blob);
  let { tracker, checked } = memory;
  if (measured?.tracker !== undefined) {
    if (tracker !== null) garbage.push(tracker.blob);
    tracker = { blob: trackerBlob(cause), step: record.step };
  }
  if (measured?.check !== undefined) checked = measured.check;
  return {
    memory: { ...memory, newestSnapshot: { blob, step: record.step }, garbage, tracker, checked },
    judged: { ...rate(learningRate), ...judgedReadings(measured) },
  };
}

export function trackerBlob({ run, position }: Cause): string {
  return `runs/${run}/tracker/${position}`;
}

export function readingRows(
  memory: RunMemory,
  step: number,
  { readings }: MeasureResult,
  { run, timeMs }: Cause,
): readonly ReadingRow[] {
  return readings.map((reading) => ({ run, attempt: memory.attempt, step, ...reading, source: 'analyzer' as const, timeMs }));
}

/** A rate of 0 is what a probe sends that does not know it; taken as true it would mean that nothing is ever unstable. */
function rate(learningRate: number): Record<string, number> {
  return learningRate > 0 && Number.isFinite(learningRate) ? { lr: learningRate } : {};
}

function judgedReadings(measured: MeasureResult | undefined): Record<string, number> {
  const whole = (measured?.readings ?? []).filter(({ key }) => key === '');
  return Object.fromEntries(whole.map(({ name, value }) => [name, value]));
}
