import type { Bus, KeyValue } from '#bus/bus.js';
import { decodeJson, encodeJson, waitingBucket, type MeasuringBody } from '#bus/messages.js';

const rewrittenEveryMs = 1000;

/**
 * Which runs have snapshots that wait for their measurement, or have ended and leave blobs to be removed, in durable storage: a
 * service that starts finds them there, and so does whoever shows a run. An entry is written before the position that makes a snapshot wait is committed, and removed
 * after the one that makes it wait no longer, so that none is missing.
 */
export class WaitingRuns {
  private readonly bucket: KeyValue;
  private readonly written = new Map<string, { readonly text: string; readonly atMs: number }>();

  constructor(bus: Bus) {
    this.bucket = bus.kv(waitingBucket);
  }

  async load(): Promise<readonly string[]> {
    for await (const { key, value } of this.bucket.entries()) {
      this.written.set(key, { text: JSON.stringify(decodeJson<MeasuringBody>(value)), atMs: performance.now() });
    }
    return [...this.written.keys()];
  }

  /** That there is an entry is durable afterwards; what it says follows at most so often, unless that is urgent. */
  async write(run: string, body: MeasuringBody, isUrgent = false): Promise<void> {
    const text = JSON.stringify(body);
    const known = this.written.get(run);
    if (known?.text === text) return;
    const atMs = performance.now();
    if (known !== undefined && !isUrgent && atMs - known.atMs < rewrittenEveryMs) return;
    await this.bucket.put(run, encodeJson(body));
    this.written.set(run, { text, atMs });
  }

  async remove(run: string): Promise<void> {
    if (!this.written.has(run)) return;
    await this.bucket.delete(run);
    this.written.delete(run);
  }
}
