import { StagewatchError } from '#runtime/errors.js';

/** Errors of foreign queries read as ClickHouse writes them: its clients look for the number in the text. */
const kinds = {
  UNKNOWN_SETTING: 115,
  READONLY: 164,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  BAD_ARGUMENTS: 36,
  QUERY_IS_TOO_LARGE: 311,
  NOT_IMPLEMENTED: 48,
  TIMEOUT_EXCEEDED: 159,
  ACCESS_DENIED: 497,
  UNKNOWN_FORMAT: 73,
} as const;

export type RefusalKind = keyof typeof kinds;

export function clickHouseText(kind: RefusalKind, message: string): string {
  return `Code: ${kinds[kind]}. DB::Exception: ${message}. (${kind})`;
}

export function refusal(kind: RefusalKind, message: string): StagewatchError {
  return new StagewatchError('QUERY_REFUSED', clickHouseText(kind, message));
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
