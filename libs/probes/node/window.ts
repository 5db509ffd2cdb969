import { GapTally, recordItem, withSequence } from './records.js';
import type { RecordItem } from './item.js';

interface Sent {
  readonly sequence: number;
  readonly item: RecordItem;
  readonly bytes: Buffer;
}

/** Records that have their numbers and are not yet acknowledged, in order. */
export class Window {
  private records: Sent[] = [];
  /** Index of the first one that this stream has not sent. */
  private next = 0;
  private sequence = 1;
  private inFlight = 0;
  creditBytes = 0;

  get length(): number {
    return this.records.length;
  }

  get unsent(): number {
    return this.records.length - this.next;
  }

  add(item: RecordItem): void {
    const { sequence } = this;
    this.sequence++;
    this.records.push({ sequence, item, bytes: withSequence(sequence, item.bytes) });
  }

  /** Records of one message, within the credit; with nothing in flight the first goes whatever its size. */
  batch(maxBytes: number, maxRecords: number): Buffer[] {
    const batch: Buffer[] = [];
    let bytes = 0;
    while (this.next < this.records.length && batch.length < maxRecords) {
      const size = this.records[this.next]!.bytes.length;
      if (this.inFlight + size > this.creditBytes && this.inFlight > 0) break;
      if (batch.length > 0 && bytes + size > maxBytes) break;
      batch.push(this.records[this.next++]!.bytes);
      bytes += size;
      this.inFlight += size;
    }
    return batch;
  }

  /** Of the oldest record; 0 when there is none. */
  get firstSequence(): number {
    return this.records[0]?.sequence ?? 0;
  }

  /** Lets go of what is durable; answers the newest step of it, 0 for nothing. */
  acknowledge(sequence: number): number {
    let count = 0;
    let step = 0;
    while (count < this.records.length && this.records[count]!.sequence <= sequence) {
      if (count < this.next) this.inFlight -= this.records[count]!.bytes.length;
      step = this.records[count]!.item.step;
      count++;
    }
    this.records.splice(0, count);
    this.next = Math.max(0, this.next - count);
    return step;
  }

  /** A new stream: what is durable is done, the rest is sent again. */
  restart(nextSequence: number, creditBytes: number): void {
    this.acknowledge(nextSequence - 1);
    this.next = 0;
    this.inFlight = 0;
    this.creditBytes = creditBytes;
    // Nothing was sent yet in this process, and the service knows of more: numbers go on from there.
    if (this.records.length === 0) this.sequence = Math.max(this.sequence, nextSequence);
  }

  /** The oldest record was refused for good: a gap record takes its number, so that the rest can follow. */
  replaceFirst(newestAcknowledgedStep: number): RecordItem | undefined {
    const first = this.records[0];
    if (first === undefined) return undefined;
    const { item, sequence } = first;
    const tally = new GapTally();
    const snapshots = item.points === 0 ? 1 : 0;
    tally.add({ step: item.step, points: item.points, snapshots }, 'refused');
    const gap = tally.take(newestAcknowledgedStep) ?? recordItem({ step: item.step });
    this.records[0] = { sequence, item: gap, bytes: withSequence(sequence, gap.bytes) };
    return item;
  }
}
