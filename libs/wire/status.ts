import { status, type Metadata } from '@grpc/grpc-js';

/** Trailing metadata in which every refusal carries its code, field, value and expectation, as JSON. */
export const errorMetadataKey = 'stagewatch-error';

/** A refusal as the service worded it. */
export interface Refusal {
  /** From the table of error codes; `UNAVAILABLE` and the like where the service itself did not answer. */
  readonly code: string;
  readonly message: string;
  readonly field?: string;
  readonly value?: string;
  readonly expected?: string;
  readonly retryAfterMs?: number;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
}

const weather = new Set<number>([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.ABORTED,
  status.INTERNAL,
  status.UNKNOWN,
]);
const retryableCodes = new Set(['STORAGE_FULL', 'TOO_MANY_STREAMS', 'UNAVAILABLE', 'INTERNAL']);

/** Reads what went wrong out of a failed call. */
export function readRefusal(error: unknown): Refusal {
  const { code, details, metadata, message } = error as {
    code?: number;
    details?: string;
    metadata?: Metadata;
    message?: string;
  };
  const told = metadata?.get(errorMetadataKey)[0];
  if (told !== undefined) {
    try {
      const body = JSON.parse(told.toString()) as Omit<Refusal, 'retryable'>;
      return { ...body, retryable: retryableCodes.has(body.code) || body.retryAfterMs !== undefined };
    } catch {
      // Not from this service: the plain status says what there is to say.
    }
  }
  return {
    code: (code === undefined ? undefined : status[code]) ?? 'UNKNOWN',
    message: details ?? message ?? String(error),
    retryable: code === undefined || weather.has(code),
  };
}
