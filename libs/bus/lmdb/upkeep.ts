import type { Logger } from '#runtime/logging.js';
import type { Metrics } from '#runtime/metrics.js';
import { PeriodicTask } from '#runtime/periodic.js';
import { trimDeadLetters } from './dead-letter-bounds.js';
import type { StreamLog } from './stream-log.js';
import type { Tables } from './tables.js';
import type { Writer } from './writer.js';

const everyMs = 30_000;
const idsATransaction = 5000;
/** Not again at the next message. */
const cutTo = 0.9;

export interface UpkeepParts {
  readonly tables: Tables;
  readonly writer: Writer;
  readonly logs: () => readonly StreamLog[];
  /** Of one stream. */
  readonly maxKnownIds: number;
  readonly maxDeadLetterBytes: number;
  readonly logger: Logger | undefined;
  readonly metrics: Metrics | undefined;
}

/** Holds what only ever grows within its bounds: known ids of subjects that have fallen silent, and dead letters. */
export class Upkeep {
  private readonly task: PeriodicTask | undefined;

  constructor(private readonly parts: UpkeepParts) {
    const { logger } = parts;
    if (logger !== undefined) {
      this.task = new PeriodicTask({ name: 'upkeep of the bus', intervalMs: everyMs, logger }, (signal) => this.run(signal));
    }
  }

  start(): void {
    this.task?.start();
  }

  async close(): Promise<void> {
    await this.task?.close();
  }

  async run(signal?: AbortSignal): Promise<void> {
    const { tables, writer, maxKnownIds, maxDeadLetterBytes, logger, metrics } = this.parts;
    for (const log of this.parts.logs()) {
      if (log.ghosts() <= maxKnownIds) continue;
      const keep = Math.floor(maxKnownIds * cutTo);
      while (signal?.aborted !== true && log.ghosts() > keep) {
        await writer.write((batch) => log.forgetOldest(keep, idsATransaction, batch));
      }
    }
    if (signal?.aborted === true) return;
    const letters = await trimDeadLetters(tables, writer, maxDeadLetterBytes);
    if (letters === 0) return;
    metrics?.deadLettersDropped.inc(letters);
    logger?.warn({ letters, maxDeadLetterBytes }, 'the oldest dead letters were dropped: together they had grown too large');
  }
}
