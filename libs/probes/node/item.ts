import type { TensorLayout } from '#wire/generated/messages.js';

/** A record that waits for its sequence number: everything of it is serialized but that. */
export interface RecordItem {
  readonly kind: 'record';
  readonly step: number;
  readonly bytes: Buffer;
  /** Points of scalars in it, for the gap that stands for it when it must be left out. */
  readonly points: number;
}

/** A snapshot that waits for its upload. */
export interface SnapshotItem {
  readonly kind: 'snapshot';
  readonly step: number;
  /** Of the upload; the same on every try. */
  readonly key: string;
  readonly bytes: Buffer;
  readonly layout: readonly TensorLayout[];
  readonly learningRate: number;
  readonly reason: string;
}

export type Item = RecordItem | SnapshotItem;

/** What an item costs beside its bytes. */
const overheadBytes = 256;
export const sizeOf = (item: Item): number => item.bytes.length + overheadBytes;
