import type { KeyValue } from '#bus/bus.js';
import { decodeJson, encodeJson } from '#bus/messages.js';
import type { Metrics } from '#runtime/metrics.js';
import { MeasurerCrashed, type MeasureJob, type Measurer, type MeasureResult } from '../measure/measurer.js';
import { stopIfAborted } from '../weather.js';
import type { Cause } from '../judge/outcome.js';

/**
 * A snapshot whose measurement crashed so often, or was begun so often without an end, is poison. The latter is more, since a
 * busy machine may be slow to measure and quick to be switched off: a snapshot must not be given up for that.
 */
const maxCrashes = 3;
const maxStarts = 32;

interface Attempts {
  readonly position: number;
  readonly starts: number;
  readonly crashes: number;
}

/**
 * Counts in durable storage how often a measurement was begun: a snapshot that takes the whole process with it must be
 * recognised by the next one. A process that was killed for other reasons in the middle counts less than a crash.
 */
export class MeasureAttempts {
  private readonly startedMs = new Set<number>();

  constructor(
    private readonly bucket: KeyValue,
    private readonly metrics: Metrics,
  ) {}

  /** Undefined when the snapshot is poison. */
  async measure(measurer: Measurer, job: MeasureJob, cause: Cause, signal: AbortSignal): Promise<MeasureResult | undefined> {
    stopIfAborted(signal, 'measure');
    let attempts = await this.read(cause);
    while (attempts.crashes < maxCrashes && attempts.starts < maxStarts) {
      let startedMs: number | undefined;
      // The snapshot is read when its turn has come: waiting for others is no attempt.
      const snapshot = async (): Promise<Uint8Array> => {
        attempts = { ...attempts, starts: attempts.starts + 1 };
        await this.bucket.put(cause.run, encodeJson(attempts));
        startedMs = performance.now();
        this.startedMs.add(startedMs);
        return job.snapshot();
      };
      try {
        const result = await measurer.measure({ ...job, snapshot }, signal);
        if (startedMs !== undefined) this.metrics.measurementSeconds.observe((performance.now() - startedMs) / 1000);
        return result;
      } catch (error) {
        stopIfAborted(signal, 'measure');
        if (!(error instanceof MeasurerCrashed)) throw error;
        attempts = { ...attempts, crashes: attempts.crashes + 1 };
        await this.bucket.put(cause.run, encodeJson(attempts));
      } finally {
        if (startedMs !== undefined) this.startedMs.delete(startedMs);
      }
    }
    return undefined;
  }

  /** Age of the oldest measurement under way, in seconds. */
  ageSeconds(): number {
    const [oldest] = this.startedMs;
    return oldest === undefined ? 0 : (performance.now() - oldest) / 1000;
  }

  forget(run: string): Promise<void> {
    return this.bucket.delete(run);
  }

  private async read({ run, position }: Cause): Promise<Attempts> {
    const entry = await this.bucket.get(run);
    const known = entry === undefined ? undefined : decodeJson<Attempts>(entry.value);
    return known?.position === position ? known : { position, starts: 0, crashes: 0 };
  }
}
