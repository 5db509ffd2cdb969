import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { errorCodes, StagewatchError } from '#runtime/errors.js';
import { BlockEncoder } from './blocks/blocks.js';
import { clickHouseMessage, DoorError } from './door-error.js';
import type { DoorQuery } from './request.js';

const binary = /^(Native|RowBinary|Parquet|Arrow|ORC|Avro|MsgPack|Protobuf|BSON|Npy|RawBLOB|CapnProto)/;

export function contentType(format: string): string {
  if (/^(JSON.*EachRow|JSONLines|NDJSON)/.test(format)) return 'application/x-ndjson; charset=UTF-8';
  if (format.startsWith('JSON')) return 'application/json; charset=UTF-8';
  if (binary.test(format)) return 'application/octet-stream';
  if (format.startsWith('CSV')) return 'text/csv; charset=UTF-8';
  if (/^(TSV|TabSeparated)/.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  return 'text/plain; charset=UTF-8';
}

export function sendText(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' });
  response.end(text);
}

/** Rows as they come. After the first byte an error can only be told by breaking off, as the server itself does. */
export async function sendRows(
  request: IncomingMessage,
  response: ServerResponse,
  query: DoorQuery,
  rows: Readable,
): Promise<void> {
  const asked = /\bFORMAT\s+(\w+)\s*;?\s*$/i.exec(query.sql)?.[1] ?? query.format;
  response.setHeader('content-type', contentType(asked));
  response.setHeader('x-clickhouse-format', asked);
  response.setHeader('x-clickhouse-timezone', 'UTC');
  response.setHeader('x-clickhouse-server-display-name', 'stagewatch');
  const blocks = query.inBlocks ? [new BlockEncoder()] : [];
  if (!wantsGzip(request)) return await pipeline([rows, ...blocks, response]);
  response.setHeader('content-encoding', 'gzip');
  response.setHeader('vary', 'accept-encoding');
  await pipeline([rows, ...blocks, createGzip({ level: 1 }), response]);
}

/** Compression is asked for twice: by the client's transport and by the query. */
function wantsGzip(request: IncomingMessage): boolean {
  const accepted = (request.headers['accept-encoding'] ?? '').split(',');
  const gzip = accepted.some((coding) => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(coding));
  return gzip && /[?&]enable_http_compression=(1|true)\b/.test(request.url ?? '');
}

export function sendError(response: ServerResponse, error: unknown): void {
  const { status, text, retryAfterMs } = describe(error);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const code = /^Code: (\d+)/.exec(text)?.[1] ?? '1001';
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.writeHead(status, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': code,
    // What was not read of the request would be taken for the next one.
    connection: 'close',
    ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
    ...(status === 401 ? { 'www-authenticate': 'Basic realm="stagewatch"' } : {}),
  });
  response.end(`${text}\n`);
}

function describe(error: unknown): { readonly status: number; readonly text: string; readonly retryAfterMs?: number } {
  if (error instanceof DoorError) return { status: error.status, text: error.message };
  if (!(error instanceof StagewatchError))
    return { status: 500, text: clickHouseMessage('STD_EXCEPTION', 'An unexpected error; the log has the details') };
  const status = errorCodes[error.code].http;
  const { retryAfterMs } = error.detail;
  const later = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (error.message.startsWith('Code: ')) return { status, text: error.message, ...later };
  const name = status === 401 ? 'AUTHENTICATION_FAILED' : status === 403 ? 'ACCESS_DENIED' : 'STD_EXCEPTION';
  return { status, text: clickHouseMessage(name, error.message.replace(/\.$/, '')), ...later };
}
