import { BlobMissing, ChecksumMismatch, StorageFull } from '#blobs/blobs.js';
import type { Blobs } from '#blobs/blobs.js';
import type { OutgoingMessage } from '#bus/bus.js';
import { lossSpecOf } from '#graph/loss-convention.js';
import type { Logger } from '#runtime/logging.js';
import { optimizerFacts } from '../judge/facts.js';
import type { RunMemory } from '../judge/memory.js';
import type { OutstandingSnapshot } from '../judge/outstanding.js';
import type { MeasureJob, Measurer, MeasureResult } from '../measure/measurer.js';
import { storedBlob } from '../measure/stored-bytes.js';
import { outlast, stopIfAborted } from '../weather.js';
import { SnapshotSetAside, type MeasureAttempts } from './measure-attempts.js';
import { measuredMessage } from './measured-message.js';
import type { TrackerCache } from './tracker-cache.js';
import { writeBlob } from './write-blob.js';

export interface MeasuringTools {
  readonly measurer: Measurer;
  readonly attempts: MeasureAttempts;
  readonly trackers: TrackerCache;
  readonly blobs: Blobs;
  readonly logger: Logger;
}

/**
 * Measures one snapshot from where the memory says that the measurement before ended. What the next one starts from is durable
 * before the message is published that names it.
 */
export async function measureSnapshot(
  tools: MeasuringTools,
  run: string,
  memory: RunMemory,
  snapshot: OutstandingSnapshot,
  signal: AbortSignal,
): Promise<OutgoingMessage> {
  const { attempts, measurer, trackers, logger } = tools;
  const { position, timeMs } = snapshot;
  const told = (outcome: Parameters<typeof measuredMessage>[3]): OutgoingMessage =>
    measuredMessage(run, memory.attempt, [snapshot], outcome);
  const result = await attempts
    .measure(measurer, await jobOf(tools, run, memory, snapshot), { run, position, timeMs }, signal)
    .catch((error: unknown): MeasureResult => {
      if (!(error instanceof BlobMissing)) throw error;
      logger.warn({ run, step: snapshot.step, blob: snapshot.blob }, 'the snapshot is gone');
      return { readings: [], instruments: {}, tracker: undefined, check: undefined };
    });
  stopIfAborted(signal, 'measure');
  if (result instanceof SnapshotSetAside) return told({ failed: result.reason });
  if (result.tracker === undefined) return told({ result, trackerBlob: '' });
  const tracker = { blob: `runs/${run}/tracker/${position}`, bytes: result.tracker };
  if (tracker.bytes.byteLength <= trackers.maxSavedBytes) {
    await outlast('tracker', () => saveTracker(tools, run, tracker), signal, logger);
  }
  trackers.keep(run, tracker);
  return told({ result, trackerBlob: tracker.blob });
}

async function jobOf(
  { blobs, trackers }: MeasuringTools,
  run: string,
  memory: RunMemory,
  snapshot: OutstandingSnapshot,
): Promise<MeasureJob> {
  return {
    run,
    step: snapshot.step,
    model: snapshot.model ?? memory.model!,
    loss: lossSpecOf(memory.attached.loss),
    optimizer: optimizerFacts(memory.attached.optimizer),
    learningRate: snapshot.learningRate > 0 ? snapshot.learningRate : Number.NaN,
    snapshot: storedBlob(blobs, snapshot.blob),
    tensors: memory.outstanding.layouts[snapshot.layout]!,
    tracker: await trackers.read(run, memory.tracker),
    check: memory.checked === null,
    curvatureOff: memory.checked?.ok === false ? memory.checked.reason : memory.losses?.apart,
    artifact: (digest) => storedBlob(blobs, `artifacts/${digest}`),
  };
}

async function saveTracker(
  { blobs, logger }: MeasuringTools,
  run: string,
  { blob, bytes }: { readonly blob: string; readonly bytes: Uint8Array },
): Promise<void> {
  try {
    await writeBlob(blobs, blob, bytes);
  } catch (error) {
    if (error instanceof StorageFull) {
      // It only spares the next measurement after a restart some work; the queue must not wait for it.
      logger.warn(
        { err: error, run, blob },
        'no room to save the tracker: after a restart the run is measured from a cold start',
      );
      return;
    }
    // What an interrupted try left differed; it is forgotten now.
    if (!(error instanceof ChecksumMismatch)) throw error;
    await writeBlob(blobs, blob, bytes);
  }
}
