import { Metadata, status, type ServerInterceptingCallInterface } from '@grpc/grpc-js';
import { BlobMissing, ChecksumMismatch, OffsetMismatch, StorageFull, UploadSuperseded } from '#blobs/blobs.js';
import { BusFull } from '#bus/bus.js';
import { errorBody, errorCodes, StagewatchError, type ErrorBody, type ErrorDetail } from '#runtime/errors.js';
import { MalformedMessage } from '#wire/codec.js';
import { errorMetadataKey } from '#wire/status.js';
import { statusDetails } from './status-details.js';

type PartialStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/** When storage is full or away, a probe should not knock more often than this. */
const storageRetryMs = 5000;
const maxTextLength = 500;

/** The one place where an error becomes what a gRPC caller sees. */
export function toStatus(error: unknown): PartialStatus & { readonly metadata: Metadata } {
  const body = shorten(errorBody(translate(error)));
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the table's numbers are those of gRPC
  const code = errorCodes[body.code].grpc as status;
  const metadata = new Metadata();
  metadata.set(errorMetadataKey, asciiJson(body));
  metadata.set('grpc-status-details-bin', statusDetails(code, body));
  return { code, details: body.message, metadata };
}

/** Errors of the ports as errors of the table. What is not known stays what it is: a bug, shown as INTERNAL. */
export function translate(error: unknown): unknown {
  if (error instanceof StagewatchError) return error;
  const as = (code: ErrorBody['code'], message: string, detail: ErrorDetail = {}): StagewatchError =>
    new StagewatchError(code, message, detail, error);
  if (error instanceof BusFull || error instanceof StorageFull || isDiskFull(error)) {
    return as('STORAGE_FULL', 'the data folder has no room', { retryAfterMs: storageRetryMs });
  }
  if (error instanceof MalformedMessage) return as('MALFORMED_MESSAGE', error.message);
  if (error instanceof ChecksumMismatch) return as('CHECKSUM_MISMATCH', error.message, { field: 'end.crc32' });
  if (error instanceof OffsetMismatch) return as('OFFSET_MISMATCH', error.message, { field: 'chunk.offset' });
  if (error instanceof BlobMissing) return as('BLOB_MISSING', error.message);
  if (error instanceof UploadSuperseded)
    return as('IDENTITY_IN_USE', 'a newer upload of the same blob took over', { retryAfterMs: 1000 });
  return error;
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/**
 * Gives the statuses that grpc-js makes by itself, before any handler sees the message, their place in the table: a
 * message over the limit, and bytes that are no message.
 */
export function completeStatus(given: PartialStatus, maxMessageBytes: number): PartialStatus {
  if (given.code === status.OK) return given;
  if ((given.metadata?.get(errorMetadataKey).length ?? 0) > 0) return given;
  const details = given.details ?? '';
  if (given.code === status.RESOURCE_EXHAUSTED) {
    const size = /\((\d+) vs/.exec(details)?.[1];
    return toStatus(
      new StagewatchError('MESSAGE_TOO_LARGE', 'the message is larger than this service takes', {
        ...(size === undefined ? {} : { value: `${size} bytes` }),
        expected: `at most ${maxMessageBytes} bytes`,
      }),
    );
  }
  if (given.code === status.INTERNAL && details.startsWith('Error deserializing request')) {
    return toStatus(
      new StagewatchError('MALFORMED_MESSAGE', 'the message is not the protobuf message of this call', {
        expected: 'a message of stagewatch.v1 with integers below 2^53',
      }),
    );
  }
  return given;
}

function shorten(body: ErrorBody): ErrorBody {
  // By way of bytes: half a surrogate pair cannot travel.
  const cut = (text: string): string =>
    Buffer.from(text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}…`).toString();
  const { field, value, expected } = body;
  return {
    ...body,
    message: cut(body.message),
    ...(field === undefined ? {} : { field: cut(field) }),
    ...(value === undefined ? {} : { value: cut(value) }),
    ...(expected === undefined ? {} : { expected: cut(expected) }),
  };
}

/** Metadata carries printable ASCII only. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
