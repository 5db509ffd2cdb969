import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { errorNumber, errorText } from './engine-error.js';
import type { Engine } from './execution.js';
import { readStatement } from './statement.js';

/** Longer than clients keep a connection that nobody uses, so that none is closed under a request. */
const keepAliveMs = 120_000;
/** Parameters come in the address. */
const maxHeaderBytes = 16 * 1024 ** 2;

/** ClickHouse's HTTP interface, as much of it as the official client speaks. */
export function createEngineServer(engine: Engine): Server {
  const server = createServer(
    { maxHeaderSize: maxHeaderBytes, keepAliveTimeout: keepAliveMs, requestTimeout: 0 },
    (request, response) => {
      void answer(engine, request, response);
    },
  );
  return server;
}

async function answer(engine: Engine, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.on('error', () => gone.abort());
  const tag = randomBytes(8).toString('hex');
  try {
    const url = new URL(request.url ?? '/', 'http://engine');
    if (url.pathname === '/ping') return void response.end('Ok.\n');
    const queryId = url.searchParams.get('query_id');
    if (queryId !== null) response.setHeader('x-clickhouse-query-id', queryId);
    await send(engine.run(await readStatement(request, url), gone.signal), response, tag, gone.signal);
  } catch (error) {
    sendError(response, errorText(error), tag);
  }
}

async function send(
  parts: AsyncGenerator<Uint8Array, void>,
  response: ServerResponse,
  tag: string,
  signal: AbortSignal,
): Promise<void> {
  // The first part is awaited before anything is answered, so that a query that fails at once is an error from the start.
  let part = await parts.next();
  response.setHeader('content-type', 'application/octet-stream');
  response.setHeader('x-clickhouse-exception-tag', tag);
  try {
    for (; part.done !== true; part = await parts.next()) {
      if (!response.write(part.value)) await once(response, 'drain', { signal });
    }
    response.end();
  } finally {
    await parts.return();
  }
}

/** After the first part an error follows what was sent, marked as the server marks it. */
function sendError(response: ServerResponse, text: string, tag: string): void {
  if (response.destroyed) return;
  if (response.headersSent) {
    response.end(`\r\n__exception__\r\n${tag}\r\n${text}\n${Buffer.byteLength(text) + 1} ${tag}\r\n__exception__\r\n`);
    return;
  }
  response.writeHead(500, { 'content-type': 'text/plain; charset=UTF-8', 'x-clickhouse-exception-code': errorNumber(text) });
  response.end(`${text}\n`);
}
