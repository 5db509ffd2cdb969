import { wishCadence } from '#detectors/cadence.js';
import type { Finding, RunEvent } from '#detectors/detector.js';
import { createJudge, taggerStateOf } from '#detectors/judge.js';
import type { ControlBody } from '#bus/messages.js';
import type { AttachRunRequest, Envelope, ModelDescription, Record as WireRecord } from '#wire/generated/messages.js';
import { allOff, type MeasureResult } from '../measure/measurer.js';
import { runFacts } from './facts.js';
import { judgedPoints } from './judged-points.js';
import { newMemory, type RunMemory } from './memory.js';
import { changeInstruments, findingBodies, quiet, type Cause, type Outcome } from './outcome.js';
import { addMeasurement, addPoints, completeUpTo, type Completed } from './pending-steps.js';
import { readingRows, takeSnapshot } from './take-snapshot.js';

/**
 * What one message of the log means for a run: a pure function of the memory, the message, and what was measured of its
 * snapshot. Only rank 0 of the newest attempt is judged; the numbers of other ranks are in the tables.
 */
export function advance(
  memory: RunMemory | undefined,
  envelope: Envelope,
  cause: Cause,
  measured?: MeasureResult,
): Outcome | undefined {
  if (envelope.attached !== undefined && envelope.attempt > (memory?.attempt ?? 0)) {
    return attach(memory, envelope.attached, envelope.attempt, cause);
  }
  if (memory === undefined) return undefined;
  const seen = { ...memory, seenMs: Math.max(memory.seenMs, cause.timeMs) };
  if (envelope.attempt !== memory.attempt) return quiet(discard(memory, envelope.record));
  if (envelope.model !== undefined) return describe(seen, envelope.model, cause);
  if (envelope.presence !== undefined) return presence(seen, envelope.presence, cause);
  if (envelope.sequenceGap !== undefined) {
    const { firstSequence, lastSequence, step } = envelope.sequenceGap;
    return judge(seen, [gapEvent(step, 0, 0, lastSequence - firstSequence + 1, 'sequence')], cause);
  }
  if (envelope.record === undefined) return quiet(seen);
  return envelope.rank === 0 ? record(seen, envelope.record, cause, measured) : otherRank(seen, envelope.record, cause);
}

/** The snapshot that has to be measured before this message can be advanced over. */
export function snapshotToMeasure(memory: RunMemory | undefined, envelope: Envelope): WireRecord | undefined {
  if (memory === undefined || envelope.attempt !== memory.attempt || envelope.rank !== 0) return undefined;
  return envelope.record?.snapshot !== undefined && memory.model !== null ? envelope.record : undefined;
}

function attach(memory: RunMemory | undefined, attached: AttachRunRequest, attempt: number, cause: Cause): Outcome {
  const judgement = createJudge(runFacts(attached));
  if (memory === undefined) {
    const fresh = newMemory(attached, attempt, cause.timeMs, judgement.initial());
    return { ...quiet(fresh), ...changeInstruments(fresh, allOff('the job has not described its model'), cause) };
  }
  // What the attempt before left unfinished is judged as its own.
  const before = settle(memory, cause);
  const next: RunMemory = {
    ...newMemory(attached, attempt, memory.createdMs, before.memory.judge),
    seenMs: cause.timeMs,
    tracker: memory.tracker,
    newestSnapshot: memory.newestSnapshot,
    garbage: memory.garbage,
  };
  const resumed = judge(next, [{ kind: 'resumed', step: attached.firstStep, attempt }], cause, before.findings.length);
  const instruments = changeInstruments(resumed.memory, allOff('the job has not described its model'), cause);
  return { ...resumed, ...instruments, findings: [...before.findings, ...resumed.findings] };
}

function describe(memory: RunMemory, model: ModelDescription, cause: Cause): Outcome {
  const same = memory.model?.graphDigest === model.graphDigest && memory.model.train?.digest === model.train?.digest;
  if (same) return quiet(memory);
  const next = { ...memory, model: withoutNames(model), checked: null };
  const states = allOff(model.train === null ? 'the job gave no probe set' : 'no snapshot has been measured yet');
  return { ...quiet(next), ...changeInstruments(next, states, cause) };
}

/** The names of classes are the owner's data, and nothing here needs them. */
function withoutNames(model: ModelDescription): ModelDescription {
  const { train, val } = model;
  return { ...model, train: train && { ...train, classNames: [] }, val: val && { ...val, classNames: [] } };
}

function presence(memory: RunMemory, { state, silentMs, step }: NonNullable<Envelope['presence']>, cause: Cause): Outcome {
  // Hearing nothing is not being seen.
  if (state === 'PRESENCE_STATE_LOST') {
    const over = settle(memory, cause);
    const status = memory.status === 'running' ? 'lost' : memory.status;
    const next = judge({ ...over.memory, status }, [{ kind: 'lost', step, silentMs }], cause, over.findings.length);
    return { ...next, findings: [...over.findings, ...next.findings] };
  }
  const status = memory.status === 'lost' ? 'running' : memory.status;
  return judge({ ...memory, status }, [{ kind: 'returned', step, silentMs }], cause);
}

function record(memory: RunMemory, record: WireRecord, cause: Cause, measured: MeasureResult | undefined): Outcome {
  const at = { ...memory, step: Math.max(memory.step, record.step) };
  switch (record.body) {
    case 'scalars':
      return judgeSteps(at, addPoints(at.pending, judgedPoints(record.scalars!), newestOf(record.scalars!.steps)), cause);
    case 'snapshot':
      return snapshot(at, record, cause, measured);
    case 'gradient':
      // Nothing measures gradients yet; their bytes are not kept for nothing.
      return quiet(discard(at, record));
    case 'sketch':
      // Nothing measures sketches yet.
      return quiet(at);
    case 'gap': {
      const { points, snapshots, firstSequence, lastSequence, reason } = record.gap!;
      const records = points + snapshots > 0 || lastSequence === 0 ? 0 : lastSequence - firstSequence + 1;
      return judge(at, [gapEvent(record.step, points, snapshots, records, reason)], cause);
    }
    case 'heartbeat':
      return judgeSteps(at, completeUpTo(at.pending, record.step), cause);
    case 'end': {
      const over = settle(at, cause);
      const { status } = record.end!;
      const ended = judge(
        { ...over.memory, status: isEnd(status) ? status : 'interrupted' },
        [{ kind: 'ended', step: record.step, status }],
        cause,
        over.findings.length,
      );
      return { ...ended, findings: [...over.findings, ...ended.findings] };
    }
    case undefined:
      return quiet(at);
  }
  return quiet(at);
}

function snapshot(memory: RunMemory, record: WireRecord, cause: Cause, measured: MeasureResult | undefined): Outcome {
  const taken = takeSnapshot(memory, record, cause, measured);
  const judged = judgeSteps(taken.memory, addMeasurement(taken.memory.pending, record.step, taken.judged), cause);
  const instruments = measured === undefined ? undefined : changeInstruments(judged.memory, measured.instruments, cause);
  const readings = measured === undefined ? [] : readingRows(memory, record.step, measured, cause);
  return { ...judged, ...instruments, readings };
}

function otherRank(memory: RunMemory, record: WireRecord, cause: Cause): Outcome {
  if (record.gap === undefined) return quiet(discard(memory, record));
  const { points, snapshots, reason } = record.gap;
  return judge(memory, [gapEvent(record.step, points, snapshots, 0, reason)], cause);
}

function discard(memory: RunMemory, record: WireRecord | undefined): RunMemory {
  const blob = record?.snapshot?.blob ?? record?.gradient?.blob;
  return blob === undefined ? memory : { ...memory, garbage: [...memory.garbage, blob] };
}

/** Everything that waits is complete. */
function settle(memory: RunMemory, cause: Cause): Outcome {
  return judgeSteps(memory, completeUpTo(memory.pending, Number.MAX_SAFE_INTEGER), cause);
}

function judgeSteps(memory: RunMemory, { pending, complete }: Completed, cause: Cause): Outcome {
  const judgement = createJudge(runFacts(memory.attached));
  const findings: Finding[] = [];
  let state = memory.judge;
  for (const input of complete) {
    const step = judgement.readings(state, input);
    state = step.state;
    for (const finding of step.findings) findings.push(finding);
  }
  const next = { ...memory, pending, judge: state };
  return withWishes({ ...quiet(next), findings: findingBodies(next, findings, cause) }, complete.at(-1)?.step);
}

function judge(memory: RunMemory, events: readonly RunEvent[], cause: Cause, already = 0): Outcome {
  const judgement = createJudge(runFacts(memory.attached));
  const findings: Finding[] = [];
  let state = memory.judge;
  for (const event of events) {
    const step = judgement.event(state, event);
    state = step.state;
    for (const finding of step.findings) findings.push(finding);
  }
  const next = { ...memory, judge: state };
  return { ...quiet(next), findings: findingBodies(next, findings, cause, already) };
}

/** Tells the probe when another cadence would serve the judgement better, and asks for a snapshot of a divergence. */
function withWishes(outcome: Outcome, step: number | undefined): Outcome {
  if (step === undefined) return outcome;
  const { memory, findings } = outcome;
  const control: ControlBody[] = [];
  if (findings.some(({ kind }) => kind === 'divergence_risk')) control.push({ kind: 'snapshot-now', reason: 'divergence' });
  const wish = wishCadence(taggerStateOf(memory.judge), step) ?? null;
  if (wish === null || (memory.wish?.everySteps === wish.everySteps && memory.wish.factor === wish.factor)) {
    return { ...outcome, control };
  }
  control.push({ kind: 'cadence', fromStep: step, ...wish });
  return { ...outcome, memory: { ...memory, wish }, control };
}

function gapEvent(step: number, points: number, snapshots: number, records: number, reason: string): RunEvent {
  return { kind: 'gap', step, points, snapshots, records, reason };
}

function newestOf(steps: readonly number[]): number {
  let newest = -1;
  for (const step of steps) if (step > newest) newest = step;
  return newest;
}

function isEnd(status: string): status is 'finished' | 'failed' | 'interrupted' {
  return status === 'finished' || status === 'failed' || status === 'interrupted';
}
