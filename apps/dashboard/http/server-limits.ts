import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Metrics } from '#runtime/metrics.js';

/** A request that is sent by halves is ended with 408; looking for such costs next to nothing. */
export const serverTimeouts = {
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 2000,
} as const satisfies ServerOptions;

/** Beyond the limit this many are still told why, and those beyond them are dropped. */
const answeredBeyond = 256;
/** Time for the refusal to reach whoever was refused. */
const refusalMs = 1000;
const retrySeconds = 5;

export interface DoorLimits {
  readonly door: 'http' | 'clickhouse';
  readonly connections: number;
  readonly metrics: Metrics;
}

/** Bounds the connections of a door, answers those beyond with 503, and counts them and who hung up on an answer. */
export function limitConnections(server: Server, { door, connections, metrics }: DoorLimits): void {
  let count = 0;
  server.maxConnections = connections + answeredBeyond;
  server.on('drop', () => metrics.httpRefusals.inc({ door, how: 'dropped' }));
  server.on('connection', (socket: Socket) => {
    metrics.httpConnections.set({ door }, ++count);
    socket.once('close', () => metrics.httpConnections.set({ door }, --count));
    if (count <= connections) return;
    metrics.httpRefusals.inc({ door, how: 'answered' });
    refuse(socket);
  });
  server.on('request', (_: IncomingMessage, response: ServerResponse) => {
    response.once('close', () => {
      if (!response.writableFinished) metrics.httpHangUps.inc({ door });
    });
  });
}

/** What it sends is read and thrown away: unread bytes would turn the answer into a reset. */
function refuse(socket: Socket): void {
  const text = `{"code":"UNAVAILABLE","message":"This door has as many connections as it takes.","retryAfterMs":${retrySeconds * 1000}}`;
  socket.removeAllListeners('data');
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: ${retrySeconds}\r\n` +
      `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
  setTimeout(() => socket.destroy(), refusalMs).unref();
}
