import type { LossPair } from '#instruments/index.js';
import type { JudgeState } from '#detectors/judge.js';
import type { RunRow } from '#store/rows.js';
import type { AttachRunRequest, ModelDescription } from '#wire/generated/messages.js';
import { nothingOutstanding, type AwaitedSnapshot, type Outstanding } from './outstanding.js';
import { noPendingSteps, type PendingSteps } from './pending-steps.js';
import type { StandingWish } from './standing-wish.js';

/**
 * What the judge remembers of a run: plain JSON, committed together with the position in the log, and a function of the
 * log up to there, so that reading the log again makes the same memory.
 */
export interface RunMemory {
  readonly version: 2;
  /** As the newest attempt announced itself. */
  readonly attached: AttachRunRequest;
  readonly attempt: number;
  readonly status: RunRow['status'];
  /** The job's own, at its end. */
  readonly message: string;
  readonly step: number;
  readonly createdMs: number;
  readonly seenMs: number;
  readonly model: ModelDescription | null;
  /** The comparison of the model with its framework, once made. */
  readonly checked: ModelCheck | null;
  /** Training losses beside those on the probe set; missing before the first, and after another network is described. */
  readonly losses?: LossMemory | undefined;
  readonly instruments: Readonly<Record<string, InstrumentState>>;
  readonly pending: PendingSteps;
  readonly outstanding: Outstanding;
  /** Announced by the newest attempt, in that order. */
  readonly awaited: readonly AwaitedSnapshot[];
  /** Snapshots have been left out since nothing was outstanding, and that has been said. */
  readonly leavingOut: boolean;
  readonly judge: JudgeState;
  readonly wish: StandingWish | null;
  /** What the next measurement starts from. */
  readonly tracker: TrackerRef | null;
  readonly newestSnapshot: SnapshotRef | null;
  /** Blobs that nobody needs once this memory is committed. */
  readonly garbage: readonly string[];
}

export interface LossMemory {
  /** The newest, oldest first. */
  readonly pairs: readonly LossPair[];
  /** As last logged or announced. */
  readonly batchSize: number;
  /** Why curvature is not shown, when they differ for good. */
  readonly apart?: string | undefined;
}

export interface ModelCheck {
  readonly ok: boolean;
  /** Why curvature is not shown. */
  readonly reason: string;
}

export interface InstrumentState {
  readonly on: boolean;
  readonly reason: string;
}

export interface TrackerRef {
  readonly blob: string;
  readonly step: number;
}

export interface SnapshotRef {
  readonly blob: string;
  readonly step: number;
}

export function newMemory(attached: AttachRunRequest, attempt: number, timeMs: number, judge: JudgeState): RunMemory {
  return {
    version: 2,
    attached,
    attempt,
    status: 'running',
    message: '',
    step: attached.firstStep,
    createdMs: timeMs,
    seenMs: timeMs,
    model: null,
    checked: null,
    instruments: {},
    pending: noPendingSteps,
    outstanding: nothingOutstanding,
    awaited: [],
    leavingOut: false,
    judge,
    wish: null,
    tracker: null,
    newestSnapshot: null,
    garbage: [],
  };
}
