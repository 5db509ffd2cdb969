import { StagewatchError } from '#runtime/errors.js';
import type { InsertOutcome } from './batch-writer.js';

/** ClickHouse's error numbers that pass by themselves: timeouts, lost connections, memory, too many parts or queries. */
const passing = new Set(['159', '164', '202', '209', '210', '241', '242', '252', '279', '319', '425', '999']);
/** Numbers that speak of the rows themselves: syntax, types, ranges. */
const ofTheRows = new Set(['6', '26', '27', '33', '38', '41', '53', '62', '69', '70', '72', '117', '130', '131', '321', '349']);
const full = new Set(['243', '429']);
const fullText = /No space left on device|ENOSPC|NOT_ENOUGH_SPACE|Disk quota exceeded/i;

/** What a failed insert means to the one who waits for it. */
export function insertOutcome(error: unknown): InsertOutcome {
  // Not `instanceof`: chDB's connection throws the error class of another package than the client's.
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  if (full.has(code) || fullText.test(message)) {
    return {
      kind: 'failure',
      error: new StagewatchError('STORAGE_FULL', 'the database has no space left', { retryAfterMs: 5000 }, error),
    };
  }
  if (passing.has(code)) return { kind: 'retryable', error: new StagewatchError('UNAVAILABLE', message, {}, error) };
  if (ofTheRows.has(code)) return { kind: 'refused', error: new StagewatchError('INVALID_ARGUMENT', message, {}, error) };
  return { kind: 'failure', error: new StagewatchError('UNAVAILABLE', message, {}, error) };
}
