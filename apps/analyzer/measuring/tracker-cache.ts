import { BlobMissing, type Blobs } from '#blobs/blobs.js';
import type { Logger } from '#runtime/logging.js';
import type { TrackerRef } from '../judge/memory.js';

/**
 * What the last measurement of each run left for the next one. It is saved as a blob with each commit, so that a
 * restarted service measures from the same start and finds the same; beyond `maxSavedBytes` it is only kept here, and
 * a measurement after a restart begins cold: its readings then agree within the tolerance and not to the last digit.
 */
export class TrackerCache {
  private readonly runs = new Map<string, { readonly blob: string; readonly bytes: Uint8Array }>();
  private heldBytes = 0;

  constructor(
    private readonly blobs: Blobs,
    private readonly logger: Logger,
    readonly maxSavedBytes = 64 * 1024 * 1024,
    private readonly maxHeldBytes = 256 * 1024 * 1024,
  ) {}

  keep(run: string, tracker: { readonly blob: string; readonly bytes: Uint8Array }): void {
    this.forget(run);
    this.runs.set(run, tracker);
    this.heldBytes += tracker.bytes.byteLength;
    // The newest stays whatever its size: it is what the measuring process has just handed over.
    for (const other of this.runs.keys()) {
      if (this.heldBytes <= this.maxHeldBytes || other === run) return;
      this.forget(other);
    }
  }

  async read(run: string, ref: TrackerRef | null): Promise<Uint8Array | undefined> {
    if (ref === null) return undefined;
    const kept = this.runs.get(run);
    if (kept?.blob === ref.blob) return kept.bytes;
    try {
      return await this.blobs.read(ref.blob);
    } catch (error) {
      if (!(error instanceof BlobMissing)) throw error;
      this.logger.info({ run, step: ref.step }, 'no saved tracker: measuring from a cold start');
      return undefined;
    }
  }

  forget(run: string): void {
    this.heldBytes -= this.runs.get(run)?.bytes.byteLength ?? 0;
    this.runs.delete(run);
  }
}
