import type { Logger } from '#runtime/logging.js';
import type { RunMemory } from './memory.js';
import { decodeMemory } from './saved-memory.js';

/** The memory that the last commit left. One that this version cannot read is said, and the run begins anew with its next attempt. */
export function readMemory(state: Uint8Array | undefined, run: string, logger: Logger): RunMemory | undefined {
  if (state === undefined) return undefined;
  const saved = decodeMemory(state);
  if (saved === undefined) {
    logger.error({ run }, 'what was remembered of the run is of a version that is not known: its next attempt begins anew');
    return undefined;
  }
  if (saved.migrated) logger.info({ run }, 'what was remembered of the run by an earlier version was taken over');
  return saved.memory;
}
