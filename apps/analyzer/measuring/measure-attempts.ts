import type { KeyValue } from '#bus/bus.js';
import { decodeJson, encodeJson } from '#bus/messages.js';
import type { Metrics } from '#runtime/metrics.js';
import { MeasurerCrashed, type MeasureJob, type Measurer, type MeasureResult } from '../measure/measurer.js';
import { stopIfAborted } from '../weather.js';
import type { Cause } from '../judge/outcome.js';

/** The second time is in a process that measured nothing else before. */
const maxCrashes = 2;

interface Attempts {
  readonly position: number;
  readonly crashes: number;
}

/** A snapshot that will not be measured any more. */
export class SnapshotSetAside {
  constructor(readonly reason: string) {}
}

/**
 * Counts in durable storage how often a snapshot ended its measuring process. Only what was seen to end counts: a service that
 * is killed in the middle of a measurement says nothing about the snapshot.
 */
export class MeasureAttempts {
  private readonly startedMs = new Set<number>();

  constructor(
    private readonly bucket: KeyValue,
    private readonly metrics: Metrics,
  ) {}

  async measure(
    measurer: Measurer,
    job: MeasureJob,
    cause: Cause,
    signal: AbortSignal,
  ): Promise<MeasureResult | SnapshotSetAside> {
    for (;;) {
      const startedMs = performance.now();
      this.startedMs.add(startedMs);
      try {
        const result = await measurer.measure(job, signal);
        this.metrics.measurementSeconds.observe((performance.now() - startedMs) / 1000);
        return result;
      } catch (error) {
        stopIfAborted(signal, 'measure');
        if (!(error instanceof MeasurerCrashed)) throw error;
        const crashes = (await this.crashes(cause)) + 1;
        const attempts: Attempts = { position: cause.position, crashes };
        await this.bucket.put(cause.run, encodeJson(attempts));
        if (crashes >= maxCrashes) {
          return new SnapshotSetAside(`measuring the snapshot of step ${job.step} ended its process twice: ${error.message}`);
        }
      } finally {
        this.startedMs.delete(startedMs);
      }
    }
  }

  /** Age of the oldest measurement under way, in seconds. */
  ageSeconds(): number {
    const [oldest] = this.startedMs;
    return oldest === undefined ? 0 : (performance.now() - oldest) / 1000;
  }

  forget(run: string): Promise<void> {
    return this.bucket.delete(run);
  }

  private async crashes({ run, position }: Cause): Promise<number> {
    const entry = await this.bucket.get(run);
    const known = entry === undefined ? undefined : decodeJson<Attempts>(entry.value);
    return known?.position === position ? known.crashes : 0;
  }
}
