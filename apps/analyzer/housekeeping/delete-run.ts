import type { Blobs } from '#blobs/blobs.js';
import type { Bus } from '#bus/bus.js';
import { encodeJson, type ControlBody, type LiveBody } from '#bus/messages.js';
import type { Logger } from '#runtime/logging.js';
import { sleep } from '#runtime/retry.js';
import type { Store } from '#store/store.js';
import type { ArtifactReferences } from './artifact-references.js';

export interface DeletionParts {
  readonly bus: Bus;
  readonly blobs: Blobs;
  readonly store: Store;
  readonly logger: Logger;
  readonly references: ArtifactReferences;
  /** Ends all work on the run, and forgets what is remembered of it. */
  readonly letGo: (run: string) => Promise<void>;
}

/** How long a collector may take to hear that a run is gone, and to end its streams. */
const streamsEndMs = 300;

/**
 * Removes a run: its messages and states on the bus, its blobs, its rows, and the artifacts that it alone used. Each
 * step may be done again, so a deletion that broke off is begun anew. Collectors end the streams of a job that still sends;
 * what it sent in the meantime goes in a second round.
 */
export async function deleteRun(parts: DeletionParts, run: string): Promise<void> {
  await removeEverything(parts, run);
  await sayDeleted(parts.bus, run);
  await sleep(streamsEndMs);
  await removeEverything(parts, run);
  await sayDeleted(parts.bus, run);
  parts.logger.info({ run }, 'run deleted');
}

async function removeEverything({ bus, blobs, store, references, letGo }: DeletionParts, run: string): Promise<void> {
  await bus.deleteSubject(run);
  await letGo(run);
  await blobs.deletePrefix(`runs/${run}/`);
  await store.deleteRuns([run]);
  for (const digest of await references.remove(run)) await blobs.delete(`artifacts/${digest}`);
}

async function sayDeleted(bus: Bus, run: string): Promise<void> {
  const body: LiveBody = { kind: 'deleted' };
  await bus.publish('live', [{ subject: run, id: 'deleted', body: encodeJson(body) }]);
  const order: ControlBody = { kind: 'run-deleted' };
  await bus.publish('control', [{ subject: run, id: 'deleted', body: encodeJson(order) }]);
}
