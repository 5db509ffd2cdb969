import type { Readable } from 'node:stream';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import { readError } from '../weather.js';
import type { BoundValue } from './gate.js';

export interface RawQuery {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, BoundValue>>;
  readonly settings: ClickHouseSettings;
  readonly signal: AbortSignal;
}

const marker = '\r\n__exception__\r\n';
const tagHeader = 'x-clickhouse-exception-tag';

/** The bytes of an answer as they come, in whatever format; an error in the middle is thrown where it stands. */
export async function* rawResult(client: ClickHouseClient, query: RawQuery): AsyncGenerator<Uint8Array, void> {
  const { sql, parameters, settings, signal } = query;
  let stream: Readable | undefined;
  // The client gives up a request, but not an answer that has begun.
  const giveUp = (): void =>
    void stream?.destroy(signal.reason instanceof Error ? signal.reason : new Error('The query was aborted'));
  signal.addEventListener('abort', giveUp);
  try {
    const bound = Object.entries(parameters).map(([name, value]) => [`param_${name}`, escaped(value)]);
    const answer = await client.exec({
      query: sql,
      clickhouse_settings: { ...settings, ...Object.fromEntries(bound) },
      abort_signal: signal,
    });
    stream = answer.stream;
    if (signal.aborted) giveUp();
    const header = answer.response_headers[tagHeader];
    yield* withoutException(stream, typeof header === 'string' ? Buffer.from(`${marker}${header}\r\n`) : undefined);
  } catch (error) {
    throw signal.aborted ? signal.reason : withNumber(error);
  } finally {
    signal.removeEventListener('abort', giveUp);
    stream?.destroy();
  }
}

/** As ClickHouse takes values over HTTP: the text of a tab-separated field. What the client makes of text is for text alone. */
function escaped(value: BoundValue): string {
  if (value === null) return '\\N';
  return value
    .replaceAll('\\', '\\\\')
    .replaceAll('\t', '\\t')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\0', '\\0');
}

/** An error that came too late for a status stands at the end of the answer, behind a mark that no data can know. */
async function* withoutException(stream: Readable, mark: Buffer | undefined): AsyncGenerator<Uint8Array, void> {
  let held: Buffer = Buffer.alloc(0);
  for await (const part of stream as AsyncIterable<Buffer>) {
    if (mark === undefined) {
      yield part;
      continue;
    }
    const bytes = held.length === 0 ? part : Buffer.concat([held, part]);
    const at = bytes.indexOf(mark);
    if (at >= 0) throw new Error(await messageBehind(bytes.subarray(at + mark.length), stream));
    // What may be the beginning of the mark waits for what follows.
    const safe = bytes.length - possibleStart(bytes, mark);
    held = bytes.subarray(safe);
    if (safe > 0) yield bytes.subarray(0, safe);
  }
  if (held.length > 0) yield held;
}

/** How many of the last bytes could begin the mark. */
function possibleStart(bytes: Buffer, mark: Buffer): number {
  for (let length = Math.min(mark.length - 1, bytes.length); length > 0; length--) {
    if (bytes.subarray(bytes.length - length).equals(mark.subarray(0, length))) return length;
  }
  return 0;
}

async function messageBehind(first: Buffer, rest: Readable): Promise<string> {
  const parts = [first];
  for await (const part of rest as AsyncIterable<Buffer>) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  return text.slice(0, text.lastIndexOf('\n', text.lastIndexOf('\r\n__exception__'))).trimEnd();
}

/** The client takes the number and the kind out of the text; our callers and theirs look for them there. */
function withNumber(error: unknown): unknown {
  const away = readError(error);
  if (away !== error || !(error instanceof Error)) return away;
  const { code, type } = error as Error & { code?: unknown; type?: unknown };
  if (typeof code !== 'string' || !/^\d+$/.test(code)) return error;
  return new Error(`Code: ${code}. DB::Exception: ${error.message}(${String(type)})`, { cause: error });
}
