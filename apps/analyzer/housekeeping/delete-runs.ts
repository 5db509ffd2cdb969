import type { Blobs } from '#blobs/blobs.js';
import type { ArtifactReferences } from '#bus/artifact-references.js';
import type { Bus } from '#bus/bus.js';
import { encodeJson, type ControlBody, type LiveBody } from '#bus/messages.js';
import type { RunKeepers } from '#bus/run-keepers.js';
import type { Logger } from '#runtime/logging.js';
import type { Store } from '#store/store.js';

export interface DeletionParts {
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly store: Store;
  readonly logger: Logger;
  readonly references: ArtifactReferences;
  readonly keepers: RunKeepers;
  /** Ends all work on the run, and forgets what is remembered of it. */
  readonly letGo: (run: string) => Promise<void>;
}

/** How long collectors and alerts may take to hear that runs are gone, to end their streams, and to forget them. */
const forgetWithinMs = 15_000;
/** Subjects that are removed from the bus side by side: their transactions travel together. */
const atOnce = 32;

/**
 * Removes runs: their messages and states on the bus, their blobs, their rows, and the artifacts that they alone used.
 * First collectors end the streams of jobs that still send, and let nobody in again, so that what is removed stays removed. Each step may
 * be done again, so a deletion that broke off is begun anew.
 */
export async function deleteRuns(parts: DeletionParts, runs: readonly string[]): Promise<void> {
  await haveForgotten(parts, runs);
  await removeEverything(parts, runs);
  // Findings of the last moment may have become alerts in the meantime.
  await haveForgotten(parts, runs);
  parts.logger.info({ runs }, 'runs deleted');
}

async function haveForgotten({ bus, keepers, logger }: DeletionParts, runs: readonly string[]): Promise<void> {
  await keepers.expect(runs);
  await sayDeleted(bus, runs);
  const late = await keepers.untilForgotten(runs, forgetWithinMs);
  if (late.length > 0) logger.warn({ runs, late }, 'somebody has not said that deleted runs are forgotten');
}

async function removeEverything(parts: DeletionParts, runs: readonly string[]): Promise<void> {
  const { bus, blobs, store, references, letGo } = parts;
  await deleteSubjects(bus, runs);
  await Promise.all(runs.map((run) => letGo(run)));
  // What was in hand until then may have been published.
  await deleteSubjects(bus, runs);
  await Promise.all(runs.map((run) => blobs.deletePrefix(`runs/${run}/`)));
  await store.deleteRuns(runs);
  await references.remove(runs, (digest) => blobs.delete(`artifacts/${digest}`));
}

async function deleteSubjects(bus: Bus, runs: readonly string[]): Promise<void> {
  for (let from = 0; from < runs.length; from += atOnce) {
    await Promise.all(runs.slice(from, from + atOnce).map((run) => bus.deleteSubject(run)));
  }
}

async function sayDeleted(bus: Bus, runs: readonly string[]): Promise<void> {
  const body: LiveBody = { kind: 'deleted' };
  await bus.publish(
    'live',
    runs.map((subject) => ({ subject, id: 'deleted', body: encodeJson(body) })),
  );
  const order: ControlBody = { kind: 'run-deleted' };
  await bus.publish(
    'control',
    runs.map((subject) => ({ subject, id: 'deleted', body: encodeJson(order) })),
  );
}
