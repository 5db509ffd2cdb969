import { codec, type Input } from '#wire/codec.js';
import type { Gap, Record as WireRecord } from '#wire/generated/messages.js';
import { varint } from '#wire/varint.js';
import type { RecordItem, SnapshotItem } from './item.js';

/** Serializes all of a record but its sequence, which is not known before the record's turn comes. */
export function recordItem(record: Input<Omit<WireRecord, 'sequence'>> & { readonly step: number }, points = 0): RecordItem {
  const bytes = codec('Record').encode({ clientTimeMs: Date.now(), ...record });
  return { kind: 'record', step: record.step, bytes, points };
}

/** Field 1 of a record; the fields of a message may come in any order, and one after the other. */
const sequenceTag = Buffer.of(1 << 3);

export function withSequence(sequence: number, bytes: Buffer): Buffer {
  return Buffer.concat([sequenceTag, varint(sequence), bytes]);
}

export function snapshotRecord(item: SnapshotItem, blob: string): RecordItem {
  const { step, layout, learningRate, reason } = item;
  return recordItem({ step, snapshot: { blob, tensors: [...layout], learningRate, reason } });
}

/** In the place of a snapshot: it will not come. */
export function leftOutRecord({ step }: SnapshotItem, reason: string): RecordItem {
  return recordItem({ step, gap: { snapshots: 1, reason, firstStep: step, lastStep: step } });
}

/** Adds up what had to be left out, until there is room to say it. */
export class GapTally {
  private gap: Gap | undefined;

  add(
    lost: { readonly step: number; readonly points: number; readonly snapshots: number; readonly firstStep?: number },
    reason: string,
  ): void {
    const { step, points, snapshots, firstStep = step } = lost;
    const before = this.gap ?? {
      firstSequence: 0,
      lastSequence: 0,
      points: 0,
      snapshots: 0,
      reason,
      firstStep,
      lastStep: step,
      taken: [],
    };
    this.gap = {
      ...before,
      points: before.points + points,
      snapshots: before.snapshots + snapshots,
      firstStep: Math.min(before.firstStep, firstStep),
      lastStep: Math.max(before.lastStep, step),
    };
  }

  /** The record that says it; `newest` is the step that records have reached. */
  take(newest: number): RecordItem | undefined {
    const { gap } = this;
    if (gap === undefined) return undefined;
    this.gap = undefined;
    return recordItem({ step: Math.max(newest, gap.lastStep), gap }, gap.points);
  }

  /** Puts back what could not be said yet. */
  restore(item: RecordItem): void {
    const gap = codec('Record').decode(item.bytes).gap!;
    this.add({ step: gap.lastStep, firstStep: gap.firstStep, points: gap.points, snapshots: gap.snapshots }, gap.reason);
  }
}
