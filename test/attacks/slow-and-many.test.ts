import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scene } from '../support/scene.js';
import { eventually, type LaunchedService } from '../support/service-process.js';

/** The issue that was seen: a body sent by halves was held for more than 75 s. */
const heldMs = 75_000;
/** So many that nothing was counted. */
const manySockets = 3000;

describe('callers that take their time, and many of them', () => {
  const scene = new Scene();
  const sockets: Socket[] = [];
  let service: LaunchedService;
  beforeAll(async () => {
    service = await scene.service();
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await scene.close();
  });

  /** A connection with what it has heard. */
  async function call(port: number, text = ''): Promise<{ socket: Socket; heard: () => string }> {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    let heard = '';
    socket.on('data', (chunk) => (heard += chunk.toString()));
    socket.on('error', () => socket.destroy());
    await once(socket, 'connect');
    if (text !== '') socket.write(text);
    return { socket, heard: () => heard };
  }

  const metric = async (line: string): Promise<number> => {
    const text = await (await fetch(`${service.url}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(line))
        ?.slice(line.length) ?? 0,
    );
  };

  it('half a body is ended with 408, at both doors', async () => {
    const half = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"half"';
    const calls = await Promise.all([
      call(service.ports.http, half.replace('/', '/api/sql')),
      call(service.ports.clickhouse, half),
    ]);
    const startedMs = Date.now();
    await Promise.all(calls.map(({ socket }) => once(socket, 'close')));
    expect(Date.now() - startedMs).toBeLessThan(heldMs);
    for (const { heard } of calls) expect(heard()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('more connections than a door takes are told so, and counted; those before them go on', async () => {
    const calls = await Promise.all(Array.from({ length: manySockets }, () => call(service.ports.clickhouse)));
    await eventually(
      () => Promise.resolve(calls.filter(({ heard }) => /^HTTP\/1\.1 503 [\s\S]*Retry-After: \d/.test(heard())).length),
      (refused) => refused > 0,
    );
    expect(await metric('stagewatch_http_connections_refused_total{door="clickhouse",how="answered"} ')).toBeGreaterThan(0);
    calls[0]!.socket.write('GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await eventually(
      () => Promise.resolve(calls[0]!.heard()),
      (heard) => heard.includes('Ok.'),
    );
  });

  it('who hangs up before the answer is whole is counted', async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    const sql = 'SELECT number FROM numbers(1000000000)';
    const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${sql.length}\r\n\r\n${sql}`;
    const caller = await eventually(
      () => call(service.ports.clickhouse, head),
      ({ socket }) => !socket.destroyed,
    );
    await eventually(
      () => Promise.resolve(caller.heard().length),
      (length) => length > 0,
    );
    caller.socket.destroy();
    const counted = await eventually(
      () => metric('stagewatch_http_hang_ups_total{door="clickhouse"} '),
      (count) => count > 0,
    );
    expect(counted).toBeGreaterThan(0);
  });
});
