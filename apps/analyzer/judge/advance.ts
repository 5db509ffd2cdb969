import { createJudge } from '#detectors/judge.js';
import type { RunEvent } from '#detectors/detector.js';
import type { AttachRunRequest, Envelope, ModelDescription, Record as WireRecord } from '#wire/generated/messages.js';
import { allOff } from '../measure/measurer.js';
import { runFacts } from './facts.js';
import { feedAtOnce, feedComplete, feedEvents, stepsOf } from './feed.js';
import { judgedPoints } from './judged-points.js';
import { newMemory, type RunMemory } from './memory.js';
import { andThen, changeInstruments, quiet, type Cause, type Outcome } from './outcome.js';
import { ofModelBefore } from './outstanding.js';
import { addPoints, closeUpTo } from './pending-steps.js';
import { leaveOutAll, takeMeasured } from './take-measured.js';
import { announceSnapshot, takeSnapshot, withdrawSnapshots } from './take-snapshot.js';

/**
 * What one message of the log means for a run: a pure function of the memory and the message; what was measured is a message
 * like any other. Only rank 0 of the newest attempt is judged; the numbers of other ranks are in the tables.
 */
export function advance(memory: RunMemory | undefined, envelope: Envelope, cause: Cause): Outcome | undefined {
  const outcome = take(memory, envelope, cause);
  return outcome && { ...outcome, memory: withoutNeedlessTracker(outcome.memory) };
}

function take(memory: RunMemory | undefined, envelope: Envelope, cause: Cause): Outcome | undefined {
  if (envelope.attached !== undefined && envelope.attempt > (memory?.attempt ?? 0)) {
    return attach(memory, envelope.attached, envelope.attempt, cause);
  }
  if (memory === undefined) return undefined;
  const seen = { ...memory, seenMs: Math.max(memory.seenMs, cause.timeMs) };
  if (envelope.measured !== undefined) return takeMeasured(memory, envelope.measured, cause);
  if (envelope.attempt !== memory.attempt) return quiet(discard(memory, envelope.record));
  if (envelope.model !== undefined) return describe(seen, envelope.model, cause);
  if (envelope.presence !== undefined) return presence(seen, envelope.presence, cause);
  if (envelope.sequenceGap !== undefined) {
    const { firstSequence, lastSequence, step } = envelope.sequenceGap;
    return feedEvents(seen, [gapEvent(step, 0, 0, lastSequence - firstSequence + 1, 'sequence')], cause);
  }
  if (envelope.record === undefined) return quiet(seen);
  return envelope.rank === 0 ? record(seen, envelope.record, cause) : otherRank(seen, envelope.record, cause);
}

/** Why a snapshot that is outstanding could not be measured. */
export function failureOf({ outstanding }: RunMemory, { measured }: Envelope): string | undefined {
  const isOutstanding = outstanding.snapshots.some(({ position }) => measured?.snapshots.includes(position) === true);
  return isOutstanding ? measured?.failed : undefined;
}

function attach(memory: RunMemory | undefined, attached: AttachRunRequest, attempt: number, cause: Cause): Outcome {
  const judgement = createJudge(runFacts(attached));
  if (memory === undefined) {
    const fresh = newMemory(attached, attempt, cause.timeMs, judgement.initial());
    return { ...quiet(fresh), ...changeInstruments(fresh, allOff('the job has not described its model'), cause) };
  }
  // What the attempt before left unfinished is judged as its own.
  const before = andThen(closeAll(memory, cause), (now, already) => leaveOutAll(now, cause, already));
  // Nobody listens to the wishes of an attempt that is over.
  return andThen({ ...before, control: [] }, (left, already) => {
    const next: RunMemory = {
      ...newMemory(attached, attempt, left.createdMs, left.judge),
      seenMs: cause.timeMs,
      tracker: left.tracker,
      newestSnapshot: left.newestSnapshot,
      garbage: left.garbage,
    };
    const resumed = feedEvents(next, [{ kind: 'resumed', step: attached.firstStep, attempt }], cause, already);
    return { ...resumed, ...changeInstruments(resumed.memory, allOff('the job has not described its model'), cause) };
  });
}

function describe(memory: RunMemory, model: ModelDescription, cause: Cause): Outcome {
  const outstanding = ofModelBefore(memory.outstanding, memory.model);
  if (model.unmeasured !== '') {
    const without = { ...memory, model: null, checked: null, losses: undefined, outstanding };
    return { ...quiet(without), ...changeInstruments(without, allOff(model.unmeasured), cause) };
  }
  if (memory.model !== null && isSameNetwork(memory.model, model)) {
    // Said again with another reference: that is compared too. What was found before says nothing about it.
    const isNews = memory.model.referenceStep !== model.referenceStep;
    return quiet(isNews ? { ...memory, model: withoutNames(model), checked: null } : memory);
  }
  const next = { ...memory, model: withoutNames(model), checked: null, losses: undefined, outstanding };
  const states = allOff(model.train === null ? 'the job gave no probe set' : 'no snapshot has been measured yet');
  return { ...quiet(next), ...changeInstruments(next, states, cause) };
}

function isSameNetwork(one: ModelDescription, other: ModelDescription): boolean {
  const key = ({ graphDigest, parameters, train }: ModelDescription): string =>
    JSON.stringify([graphDigest, parameters, train?.digest]);
  return key(one) === key(other);
}

/** The names of classes are the owner's data, and nothing here needs them. */
function withoutNames(model: ModelDescription): ModelDescription {
  const { train, val } = model;
  return { ...model, train: train && { ...train, classNames: [] }, val: val && { ...val, classNames: [] } };
}

function presence(memory: RunMemory, { state, silentMs, step }: NonNullable<Envelope['presence']>, cause: Cause): Outcome {
  const sequences = memory.awaited.map(({ sequence }) => sequence);
  const isLost = state === 'PRESENCE_STATE_LOST';
  // Who has ended is not missed, though he may be gone before his last snapshots; and hearing nothing is not being seen.
  if (isEnd(memory.status)) return isLost ? withdrawSnapshots(memory, sequences, cause) : quiet(memory);
  if (isLost) {
    const lost = andThen(closeAll({ ...memory, status: 'lost' }, cause), (now, already) =>
      withdrawSnapshots(now, sequences, cause, already),
    );
    return andThen(lost, (now, already) =>
      feedEvents(now, [{ kind: 'lost', step, silentMs, lastHeardMs: cause.timeMs - silentMs }], cause, already),
    );
  }
  return feedEvents({ ...memory, status: 'running' }, [{ kind: 'returned', step, silentMs }], cause);
}

function record(memory: RunMemory, record: WireRecord, cause: Cause): Outcome {
  const at = { ...memory, step: Math.max(memory.step, record.step) };
  switch (record.body) {
    case 'scalars': {
      const points = judgedPoints(record.scalars!);
      const newest = newestOf(record.scalars!.steps);
      return andThen(feedAtOnce(at, stepsOf(points), cause), (now, already) =>
        feedComplete(now, addPoints(now.pending, points, newest), cause, already),
      );
    }
    case 'snapshot':
      return takeSnapshot(at, record, cause);
    case 'taken':
      return announceSnapshot(at, record, cause);
    case 'gradient':
      // Nothing measures gradients yet; their bytes are not kept for nothing.
      return quiet(discard(at, record));
    case 'sketch':
      // Nothing measures sketches yet.
      return quiet(at);
    case 'gap': {
      const { points, snapshots, firstSequence, lastSequence, reason, taken } = record.gap!;
      const records = points + snapshots > 0 || lastSequence === 0 ? 0 : lastSequence - firstSequence + 1;
      return andThen(withdrawSnapshots(at, taken, cause), (now, already) =>
        feedEvents(now, [gapEvent(record.step, points, snapshots, records, reason)], cause, already),
      );
    }
    case 'heartbeat':
      return feedComplete(at, closeUpTo(at.pending, record.step), cause);
    case 'end': {
      const { status, message } = record.end!;
      const ended: RunMemory = { ...at, status: isEnd(status) ? status : 'interrupted', message };
      return andThen(closeAll(ended, cause), (now, already) =>
        feedEvents(now, [{ kind: 'ended', step: record.step, status, message }], cause, already),
      );
    }
    case undefined:
      return quiet(at);
  }
  return quiet(at);
}

function otherRank(memory: RunMemory, record: WireRecord, cause: Cause): Outcome {
  if (record.gap === undefined) return quiet(discard(memory, record));
  const { points, snapshots, reason } = record.gap;
  return feedEvents(memory, [gapEvent(record.step, points, snapshots, 0, reason)], cause);
}

function discard(memory: RunMemory, record: WireRecord | undefined): RunMemory {
  const blob = record?.snapshot?.blob ?? record?.gradient?.blob;
  return blob === undefined ? memory : { ...memory, garbage: [...memory.garbage, blob] };
}

/** A run that has ended and waits for no measurement needs no start for the next one; taken up again, it begins cold. */
function withoutNeedlessTracker(memory: RunMemory): RunMemory {
  const { tracker, status, outstanding, awaited, garbage } = memory;
  if (tracker === null || !isEnd(status) || outstanding.snapshots.length + awaited.length > 0) return memory;
  return { ...memory, tracker: null, garbage: [...garbage, tracker.blob] };
}

/** Nothing more is logged for any step. */
function closeAll(memory: RunMemory, cause: Cause): Outcome {
  return feedComplete(memory, closeUpTo(memory.pending, Number.MAX_SAFE_INTEGER), cause);
}

function gapEvent(step: number, points: number, snapshots: number, records: number, reason: string): RunEvent {
  return { kind: 'gap', step, points, snapshots, records, reason };
}

function newestOf(steps: readonly number[]): number {
  let newest = -1;
  for (const step of steps) if (step > newest) newest = step;
  return newest;
}

/** The job has said that it is over. */
function isEnd(status: string): status is 'finished' | 'failed' | 'interrupted' {
  return status === 'finished' || status === 'failed' || status === 'interrupted';
}
