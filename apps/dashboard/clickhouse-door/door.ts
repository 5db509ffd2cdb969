import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { errorCodes, StagewatchError } from '#runtime/errors.js';
import { Access } from '../http/access.js';
import { limitConnections, serverTimeouts } from '../http/server-limits.js';
import { encodeBlock } from './blocks/blocks.js';
import { sendError, sendRows, sendText } from './answer.js';
import { acceptClickHouseCredentials } from './credentials.js';
import { helloAnswer, isHello } from './hello.js';
import type { ClickHouseDoorOptions } from './index.js';
import { DoorError } from './door-error.js';
import { readDoorQuery, type DoorQuery } from './request.js';

const keepAliveMs = 10_000;
/** GET requests carry their query in the first line. */
const maxHeaderBytes = 128 * 1024;
const maxConnections = 256;

export class ClickHouseDoor {
  private readonly server: Server;
  private readonly access: Access;
  private readonly queries;
  private readonly running = new Set<Promise<void>>();

  constructor(private readonly options: ClickHouseDoorOptions) {
    this.access = new Access(options.config);
    this.queries = options.metrics.counter('stagewatch_clickhouse_queries_total', 'Queries at the ClickHouse door.', ['outcome']);
    this.server = createServer(
      {
        maxHeaderSize: maxHeaderBytes,
        keepAliveTimeout: keepAliveMs,
        ...serverTimeouts,
      },
      (request, response) => this.take(request, response),
    );
    limitConnections(this.server, { door: 'clickhouse', connections: maxConnections, metrics: options.metrics });
    this.server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => refuseGarbage(error, socket));
  }

  async start(): Promise<void> {
    const { host, ports } = this.options.config;
    const listening = once(this.server, 'listening');
    this.server.listen(ports.clickhouse, host);
    await listening;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
    await Promise.all(this.running);
  }

  private take(request: IncomingMessage, response: ServerResponse): void {
    const answered = this.answer(request, response).catch((error: unknown) => {
      this.queries.inc({ outcome: 'error' });
      const callersFault = error instanceof DoorError || (error instanceof StagewatchError && errorCodes[error.code].http < 500);
      if (!callersFault) this.options.logger.warn({ err: error }, 'a query at the ClickHouse door failed');
      sendError(response, error);
    });
    this.running.add(answered);
    void answered.finally(() => this.running.delete(answered));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://door');
    this.access.checkSite(request);
    if (url.pathname === '/ping' || url.pathname === '/replicas_status') return sendText(response, 'Ok.\n');
    acceptClickHouseCredentials(request);
    this.access.checkCaller(request);
    if (url.pathname !== '/') throw new DoorError('NO_SUCH_PATH', 404, `There is nothing at ${url.pathname.slice(0, 100)}`);
    const query = await readDoorQuery(request, url.searchParams);
    if (query === undefined) return sendText(response, 'Ok.\n');
    if (isHello(query)) response.end(await this.hello(query));
    else await this.send(request, response, query);
    this.queries.inc({ outcome: 'success' });
  }

  private async send(request: IncomingMessage, response: ServerResponse, query: DoorQuery): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const rows = await this.options.store.query({ ...query, signal: gone.signal });
    await sendRows(request, response, query, rows);
  }

  private async hello(query: DoorQuery): Promise<Buffer> {
    const parts: Uint8Array[] = [];
    const rows = await this.options.store.query({ ...query, sql: 'SELECT version()', format: 'TSVRaw' });
    for await (const part of rows) parts.push(part as Uint8Array);
    const answer = helloAnswer(Buffer.concat(parts).toString('utf8').trim());
    return query.inBlocks ? encodeBlock(answer) : answer;
  }
}

/** What is not HTTP is told so, as far as it can be told anything. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const status = tooLarge ? '431 Request Header Fields Too Large' : late ? '408 Request Timeout' : '400 Bad Request';
  const text = `Code: 1000. DB::Exception: ${tooLarge ? 'The address and headers are too long; use POST' : late ? 'The request did not come to its end in time' : 'This port speaks HTTP; this was not HTTP'}. (POCO_EXCEPTION)\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
  );
}
