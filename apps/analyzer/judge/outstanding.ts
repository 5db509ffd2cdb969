import type { ModelDescription, Record as WireRecord, TensorLayout } from '#wire/generated/messages.js';
import type { RunMemory } from './memory.js';
import type { Cause } from './outcome.js';

/** Snapshots that are to be measured and are not, in the order of the log: a part of the memory. */
export interface Outstanding {
  readonly snapshots: readonly OutstandingSnapshot[];
  /** How their tensors lie; most snapshots of a run lie the same, so each layout stands here once. */
  readonly layouts: readonly (readonly TensorLayout[])[];
}

/** A snapshot that was announced, and is still on its way. */
export interface AwaitedSnapshot {
  /** Of the record that announced it, in its attempt. */
  readonly sequence: number;
  readonly step: number;
  /** Of that record's message. */
  readonly position: number;
}

export interface OutstandingSnapshot {
  /** Of its message on the stream `records`: what it is known by. */
  readonly position: number;
  readonly step: number;
  /** When it was received. */
  readonly timeMs: number;
  readonly blob: string;
  /** Into `layouts`. */
  readonly layout: number;
  readonly learningRate: number;
  /** Why it was taken: `cadence`, `asked`, `last`. */
  readonly reason: string;
  /** Set when the job has described another model since. */
  readonly model?: ModelDescription;
}

export const nothingOutstanding: Outstanding = { snapshots: [], layouts: [] };

export function withSnapshot(outstanding: Outstanding, record: WireRecord, step: number, cause: Cause): Outstanding {
  const { blob, tensors, learningRate, reason } = record.snapshot!;
  const key = JSON.stringify(tensors);
  const known = outstanding.layouts.findIndex((layout) => JSON.stringify(layout) === key);
  const layout = known < 0 ? outstanding.layouts.length : known;
  const snapshot = { position: cause.position, step, timeMs: cause.timeMs, blob, layout, learningRate, reason };
  return {
    snapshots: [...outstanding.snapshots, snapshot],
    layouts: known < 0 ? [...outstanding.layouts, tensors] : outstanding.layouts,
  };
}

export function without(outstanding: Outstanding, positions: readonly number[]): Outstanding {
  const snapshots = outstanding.snapshots.filter(({ position }) => !positions.includes(position));
  return snapshots.length === 0 ? nothingOutstanding : { ...outstanding, snapshots };
}

/** The job describes another model: what is outstanding belongs to the one before. */
export function ofModelBefore(outstanding: Outstanding, model: ModelDescription | null): Outstanding {
  if (model === null) return outstanding;
  return { ...outstanding, snapshots: outstanding.snapshots.map((snapshot) => ({ model, ...snapshot })) };
}

/** Blobs that nobody needs when these snapshots will not be measured (any more): all but the newest one. */
export function needless(memory: RunMemory, snapshots: readonly OutstandingSnapshot[]): readonly string[] {
  return snapshots.map(({ blob }) => blob).filter((blob) => blob !== memory.newestSnapshot?.blob);
}
