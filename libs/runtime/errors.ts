/**
 * Every error that a caller can be blamed for has one class and a stable code from one table.
 * The edges (gRPC, HTTP, socket) translate it with this table and nothing else.
 */
export const errorCodes = {
  INVALID_ARGUMENT: { grpc: 3, http: 400 },
  MALFORMED_MESSAGE: { grpc: 3, http: 400 },
  REQUEST_TIMEOUT: { grpc: 4, http: 408 },
  MESSAGE_TOO_LARGE: { grpc: 8, http: 413 },
  NAME_TOO_LONG: { grpc: 3, http: 400 },
  NAME_INVALID: { grpc: 3, http: 400 },
  UNKNOWN_RUN: { grpc: 5, http: 404 },
  UNKNOWN_ATTEMPT: { grpc: 5, http: 404 },
  UNKNOWN_KIND: { grpc: 3, http: 400 },
  NOT_FOUND: { grpc: 5, http: 404 },
  IDENTITY_IN_USE: { grpc: 6, http: 409 },
  // ABORTED, not PERMISSION_DENIED: it passes by itself, and probes of before there was this code then wait and ask again.
  RUN_TAKEN: { grpc: 10, http: 409 },
  SEQUENCE_BACKWARDS: { grpc: 9, http: 409 },
  STEP_BACKWARDS: { grpc: 9, http: 409 },
  TOO_MANY_METRICS: { grpc: 8, http: 429 },
  TOO_MANY_STREAMS: { grpc: 8, http: 429 },
  UNKNOWN_DTYPE: { grpc: 3, http: 400 },
  SHAPE_MISMATCH: { grpc: 3, http: 400 },
  CHECKSUM_MISMATCH: { grpc: 15, http: 400 },
  OFFSET_MISMATCH: { grpc: 11, http: 409 },
  BLOB_MISSING: { grpc: 9, http: 409 },
  BLOB_TOO_LARGE: { grpc: 8, http: 413 },
  MEMORY_LIMIT: { grpc: 8, http: 413 },
  UNSUPPORTED_MODEL: { grpc: 3, http: 400 },
  UNKNOWN_OP: { grpc: 3, http: 400 },
  PROBE_SET_MISMATCH: { grpc: 3, http: 400 },
  QUERY_REFUSED: { grpc: 7, http: 403 },
  UNAUTHENTICATED: { grpc: 16, http: 401 },
  FORBIDDEN: { grpc: 7, http: 403 },
  STORAGE_FULL: { grpc: 8, http: 507 },
  DATA_DAMAGED: { grpc: 15, http: 500 },
  EXECUTOR_UNAVAILABLE: { grpc: 9, http: 409 },
  EXECUTOR_FAILED: { grpc: 13, http: 500 },
  UNAVAILABLE: { grpc: 14, http: 503 },
  INTERNAL: { grpc: 13, http: 500 },
} as const satisfies Record<string, { grpc: number; http: number }>;

export type ErrorCode = keyof typeof errorCodes;

export interface ErrorDetail {
  /** Path of the offending field, as the caller wrote it: `snapshot.tensors[2].shape`. */
  readonly field?: string;
  /** The offending value, shortened; never data of a probe set or a tensor. */
  readonly value?: string;
  /** What would have been right. */
  readonly expected?: string;
  /** When it is worth trying again. */
  readonly retryAfterMs?: number;
}

export class StagewatchError extends Error {
  override readonly name = 'StagewatchError';
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.detail = detail;
  }
}

/** The shape in which every door shows an error to its caller. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly field?: string;
  readonly value?: string;
  readonly expected?: string;
  readonly retryAfterMs?: number;
}

export function errorBody(error: unknown): ErrorBody {
  if (error instanceof StagewatchError) return { code: error.code, message: error.message, ...error.detail };
  return { code: 'INTERNAL', message: 'An unexpected error; the service log has the details.' };
}
