import { StagewatchError } from '#runtime/errors.js';
import type { InsertOutcome } from './batch-writer.js';

/** ClickHouse's error numbers that pass by themselves: timeouts, lost connections, memory, too many parts or queries. */
const passing = new Set(['159', '164', '202', '209', '210', '241', '242', '252', '279', '319', '394', '425', '999']);
/** Numbers that speak of the rows themselves: syntax, types, ranges. */
const ofTheRows = new Set(['6', '26', '27', '33', '38', '41', '53', '62', '69', '70', '72', '117', '130', '131', '321', '349']);
const full = new Set(['243', '429']);
const fullText = /No space left on device|ENOSPC|NOT_ENOUGH_SPACE|Disk quota exceeded/i;
/** How Node says that nobody is at the other end, or no longer. */
const away = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'ENOTFOUND',
]);
const awayText = /^(Timeout error\.|socket hang up|aborted|Premature close)/i;

const askAgainMs = 1000;

/** Not `instanceof`: errors of Node and of the client carry their code the same way. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** The database itself is not there: it was ended, it is starting, or the network is down. */
export function isAway(error: unknown): boolean {
  return away.has(codeOf(error)) || (error instanceof Error && awayText.test(error.message));
}

function awayError(error: unknown): StagewatchError {
  return new StagewatchError('UNAVAILABLE', 'the database is away for the moment', { retryAfterMs: askAgainMs }, error);
}

/** What a failed read means to the one who asked. */
export function readError(error: unknown): unknown {
  return isAway(error) ? awayError(error) : error;
}

/** What a failed insert means to the one who waits for it. */
export function insertOutcome(error: unknown): InsertOutcome {
  if (isAway(error)) return { kind: 'away', error: awayError(error) };
  const code = codeOf(error);
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
