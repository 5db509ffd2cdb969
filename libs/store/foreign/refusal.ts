import { StagewatchError } from '#runtime/errors.js';

/** Errors of foreign queries read as ClickHouse writes them: its clients look for the number in the text. */
const kinds = {
  BAD_ARGUMENTS: { number: 36, code: 'INVALID_ARGUMENT' },
  UNKNOWN_FUNCTION: { number: 46, code: 'INVALID_ARGUMENT' },
  UNKNOWN_TABLE: { number: 60, code: 'INVALID_ARGUMENT' },
  UNKNOWN_FORMAT: { number: 73, code: 'INVALID_ARGUMENT' },
  UNKNOWN_SETTING: { number: 115, code: 'INVALID_ARGUMENT' },
  TIMEOUT_EXCEEDED: { number: 159, code: 'INVALID_ARGUMENT' },
  READONLY: { number: 164, code: 'QUERY_REFUSED' },
  TOO_MANY_SIMULTANEOUS_QUERIES: { number: 202, code: 'UNAVAILABLE' },
  QUERY_IS_TOO_LARGE: { number: 311, code: 'MESSAGE_TOO_LARGE' },
  ACCESS_DENIED: { number: 497, code: 'QUERY_REFUSED' },
} as const;

export function refusal(kind: keyof typeof kinds, message: string): StagewatchError {
  const { number, code } = kinds[kind];
  return new StagewatchError(code, `Code: ${number}. DB::Exception: ${message}. (${kind})`);
}

/** The engine's own errors are the caller's fault, or ours when they have no number. */
export function engineError(error: unknown): StagewatchError {
  if (error instanceof StagewatchError) return error;
  // The caller never wrote the call that his query was formatted with.
  const message = (error instanceof Error ? error.message : String(error)).replace(
    / ?: In scope SELECT formatQuerySingleLine\(.*\)(?=\. \()/s,
    '',
  );
  const code = /^Code: (\d+)\./.exec(message)?.[1];
  if (code === undefined) return new StagewatchError('UNAVAILABLE', message, {}, error);
  return new StagewatchError(code === '241' ? 'UNAVAILABLE' : 'INVALID_ARGUMENT', message, {}, error);
}
