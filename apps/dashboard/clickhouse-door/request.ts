import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { decodeBlocks } from './blocks/blocks.js';
import { DoorError } from './door-error.js';

/** A query as the store takes it. */
export interface DoorQuery {
  readonly sql: string;
  readonly format: string;
  readonly database?: string;
  readonly parameters: Readonly<Record<string, string | null>>;
  readonly settings: Readonly<Record<string, string>>;
  /** Whether the answer goes out in ClickHouse's compressed blocks. */
  readonly inBlocks: boolean;
}

const maxBodyBytes = 4 * 1024 * 1024;

/** Parameters of the HTTP interface that are no settings of the engine; most mean nothing where there are no sessions. */
const notSettings = new Set(
  (
    'query database default_format user password quota_key role session_id session_timeout session_check close_session ' +
    'query_id wait_end_of_query buffer_size compress decompress enable_http_compression http_zlib_compression_level ' +
    'client_protocol_version network_compression_method network_zstd_compression_level send_progress_in_http_headers http_headers_progress_interval_ms http_response_buffer_size ' +
    'http_make_head_request stacktrace add_http_cors_header cancel_http_readonly_queries_on_client_close ' +
    'http_write_exception_in_output_format readonly'
  ).split(' '),
);

/** Undefined when nothing was asked: `GET /` is how a load balancer looks whether somebody is there. */
export async function readDoorQuery(request: IncomingMessage, url: URLSearchParams): Promise<DoorQuery | undefined> {
  if (request.method !== 'GET' && request.method !== 'POST') {
    throw new DoorError('NOT_IMPLEMENTED', 405, `Method ${String(request.method).slice(0, 20)} is not answered; use GET or POST`);
  }
  const sent = request.method === 'POST' ? await readBody(request) : Buffer.alloc(0);
  const body = isOn(url, 'decompress') ? unpack(sent) : sent;
  const form = await readForm(request, body);
  const sql = [url.get('query'), form?.get('query'), form === undefined ? decode(body) : undefined]
    .filter((part) => typeof part === 'string' && part !== '')
    .join('\n');
  if (sql.trim() === '') {
    if (request.method === 'GET') return undefined;
    throw new DoorError('BAD_ARGUMENTS', 400, 'The query is empty');
  }
  if (sql.includes('\0')) throw new DoorError('BAD_ARGUMENTS', 400, 'A query may not contain NUL');
  const parameters: Record<string, string | null> = {};
  const settings: Record<string, string> = {};
  const fields = [...url, ...(form ?? [])].filter((field): field is [string, string] => typeof field[1] === 'string');
  for (const [name, value] of fields) {
    if (name.startsWith('param_')) parameters[name.slice('param_'.length)] = unescapeParameter(value);
    else if (!notSettings.has(name)) settings[name] = value;
  }
  // `default` is what clients say when nobody said anything.
  const database = url.get('database') ?? request.headers['x-clickhouse-database'];
  const format = url.get('default_format') ?? request.headers['x-clickhouse-format'] ?? 'TabSeparated';
  return {
    sql,
    format: String(format),
    ...(typeof database === 'string' && database !== '' && database !== 'default' ? { database } : {}),
    parameters,
    settings,
    inBlocks: isOn(url, 'compress'),
  };
}

function isOn(url: URLSearchParams, name: string): boolean {
  const value = url.get(name);
  return value !== null && value !== '0' && value !== 'false';
}

/** `decompress=1`: the body comes in ClickHouse's compressed blocks. */
function unpack(body: Buffer): Buffer {
  try {
    return decodeBlocks(body, maxBodyBytes);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new DoorError(
      'UNKNOWN_COMPRESSION_METHOD',
      400,
      `The body is not in compressed blocks, as decompress=1 says: ${error.message}`,
    );
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding !== 'identity' && encoding !== '' && encoding !== 'gzip') {
    throw new DoorError(
      'UNKNOWN_COMPRESSION_METHOD',
      415,
      `Content-Encoding ${encoding.slice(0, 40)} is not accepted: nothing can be inserted here`,
    );
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > maxBodyBytes) throw tooLarge();
    parts.push(part);
  }
  const body = Buffer.concat(parts);
  if (encoding !== 'gzip' || bytes === 0) return body;
  try {
    return gunzipSync(body, { maxOutputLength: maxBodyBytes });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge();
    throw new DoorError('BAD_ARGUMENTS', 400, 'The body is not gzip, as its Content-Encoding says');
  }
}

function tooLarge(): DoorError {
  return new DoorError('QUERY_IS_TOO_LARGE', 413, `A request may have ${maxBodyBytes} bytes`);
}

/** Long parameters come as a form; external tables would come the same way. */
async function readForm(request: IncomingMessage, body: Buffer): Promise<ReadonlyMap<string, string> | undefined> {
  const type = request.headers['content-type'] ?? '';
  if (!/^multipart\/form-data\b/i.test(type)) return undefined;
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData().catch(() => {
    throw new DoorError('BAD_ARGUMENTS', 400, 'The body is not multipart/form-data, as its Content-Type says');
  });
  const fields = new Map<string, string>();
  for (const [name, value] of form) {
    if (typeof value !== 'string' && !name.startsWith('param_'))
      throw new DoorError('NOT_IMPLEMENTED', 400, 'External tables are not supported here');
    fields.set(name, typeof value === 'string' ? value : await value.text());
  }
  return fields;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decode(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch {
    throw new DoorError('BAD_ARGUMENTS', 400, 'The body is not UTF-8 text; nothing can be inserted here');
  }
}

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', b: '\b', f: '\f', 0: '\0', a: '\x07', v: '\v' };

/** Values of parameters are escaped as in tab-separated text. */
export function unescapeParameter(value: string): string | null {
  if (value === '\\N') return null;
  return value.replaceAll(/\\(.)/gs, (_, character: string) => escapes[character] ?? character);
}
