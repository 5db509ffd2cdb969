import type { ReadingRow } from '#store/rows.js';
import type { Measured, Measurement } from '#wire/generated/messages.js';
import { allOff } from '../measure/measurer.js';
import { clipAt, withClipping } from './clipping.js';
import { feedAtOnce, feedComplete, feedEvents } from './feed.js';
import type { RunMemory } from './memory.js';
import { andThen, changeInstruments, quiet, type Cause, type Outcome } from './outcome.js';
import { needless, without, type OutstandingSnapshot } from './outstanding.js';
import { addMeasured } from './pending-steps.js';

/** Why a gap was made by the service itself. */
export const staleSnapshots = 'stale_snapshots';

/** What became of snapshots. What is said of one that is not outstanding (any more) is passed over. */
export function takeMeasured(memory: RunMemory, measured: Measured, cause: Cause): Outcome {
  const own = memory.outstanding.snapshots.filter(({ position }) => measured.snapshots.includes(position));
  const [first] = own;
  const { measurement } = measured;
  if (first === undefined) {
    const tracker = measurement?.trackerBlob ?? '';
    return quiet(tracker === memory.tracker?.blob ? memory : discardTracker(memory, tracker));
  }
  const positions = own.map(({ position }) => position);
  const outstanding = without(memory.outstanding, positions);
  const next: RunMemory = {
    ...memory,
    outstanding,
    leavingOut: memory.leavingOut && outstanding.snapshots.length > 0,
    garbage: [...memory.garbage, ...needless(memory, own)],
  };
  if (measurement !== undefined) return takeMeasurement(next, first, measurement, cause);
  const gone = feedComplete(next, addMeasured(next.pending, positions, {}), cause);
  if (measured.leftOut !== undefined) return andThen(gone, (now, already) => sayLeftOut(now, own, cause, already));
  return { ...gone, ...changeInstruments(gone.memory, allOff(measured.failed ?? ''), cause) };
}

/** Nobody will measure what is outstanding: another attempt begins. */
export function leaveOutAll(memory: RunMemory, cause: Cause, already: number): Outcome {
  const { snapshots } = memory.outstanding;
  if (snapshots.length + memory.awaited.length === 0) return quiet(memory);
  const positions = snapshots.map(({ position }) => position);
  const next: RunMemory = {
    ...memory,
    outstanding: without(memory.outstanding, positions),
    awaited: [],
    garbage: [...memory.garbage, ...needless(memory, snapshots)],
  };
  const held = [...positions, ...memory.awaited.map(({ position }) => position)];
  const gone = feedComplete(next, addMeasured(next.pending, held, {}), cause, already);
  if (snapshots.length === 0) return gone;
  return andThen(gone, (now, more) => sayLeftOut(now, snapshots, cause, already + more));
}

/** Said once, until nothing is outstanding. */
function sayLeftOut(memory: RunMemory, own: readonly OutstandingSnapshot[], cause: Cause, already: number): Outcome {
  if (memory.leavingOut) return quiet(memory);
  const step = own.at(-1)!.step;
  const next = { ...memory, leavingOut: memory.outstanding.snapshots.length > 0 };
  const gap = { kind: 'gap', step, points: 0, snapshots: own.length, records: 0, reason: staleSnapshots } as const;
  return feedEvents(next, [gap], cause, already);
}

function takeMeasurement(memory: RunMemory, snapshot: OutstandingSnapshot, measured: Measurement, cause: Cause): Outcome {
  const measurement = withClipping(measured, clipAt(memory, snapshot.step));
  const values = Object.fromEntries(
    measurement.readings.filter(({ key }) => key === '').map(({ name, value }) => [name, value] as const),
  );
  const { trackerBlob, check } = measurement;
  let next = memory;
  if (trackerBlob !== '') {
    next = { ...discardTracker(next, next.tracker?.blob ?? ''), tracker: { blob: trackerBlob, step: snapshot.step } };
  }
  // What was found of a model says nothing about the one that has been described since.
  if (check !== null && snapshot.model === undefined) next = { ...next, checked: check };
  const atOnce = feedAtOnce(next, [{ step: snapshot.step, readings: values }], cause);
  const judged = andThen(atOnce, (now, already) =>
    feedComplete(now, addMeasured(now.pending, [snapshot.position], values), cause, already),
  );
  const states = Object.fromEntries(measurement.instruments.map(({ instrument, on, reason }) => [instrument, { on, reason }]));
  return {
    ...judged,
    // Of a model that has been described since, nothing is known yet.
    ...(snapshot.model === undefined ? changeInstruments(judged.memory, states, cause) : {}),
    readings: readingRows(memory, snapshot.step, measurement, cause),
  };
}

function discardTracker(memory: RunMemory, blob: string): RunMemory {
  return blob === '' ? memory : { ...memory, garbage: [...memory.garbage, blob] };
}

function readingRows(memory: RunMemory, step: number, { readings }: Measurement, { run, timeMs }: Cause): readonly ReadingRow[] {
  return readings.map((reading) => ({ run, attempt: memory.attempt, step, ...reading, source: 'analyzer' as const, timeMs }));
}
