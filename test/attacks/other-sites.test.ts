import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scene } from '../support/scene.js';
import type { LaunchedService } from '../support/service-process.js';

const token = 'a-token-of-some-length';
const publicUrl = 'https://stagewatch.example';
const credentials = { authorization: `Bearer ${token}` };

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingMessage['headers'];
}

type Headers = Readonly<Record<string, string>>;

async function ask(port: number, path: string, headers: Headers = {}, method = 'GET', body = ''): Promise<Answer> {
  const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  asked.end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of response as AsyncIterable<Buffer>) text += part.toString();
  return { status: response.statusCode!, text, headers: response.headers };
}

/** Each HTTP door with a request that it answers, for a browser that another site's page drives. */
const doors = [
  ['the API', 'http', '/api/runs', 'GET', ''],
  ['SQL of the API', 'http', '/api/sql', 'POST', '{"sql":"SELECT 1"}'],
  ['the page', 'http', '/', 'GET', ''],
  ['the handshake of the live door', 'http', '/socket.io/?EIO=4&transport=polling', 'GET', ''],
  ['metrics', 'http', '/metrics', 'GET', ''],
  ['health', 'http', '/healthz', 'GET', ''],
  ['the ClickHouse door', 'clickhouse', '/?query=SELECT+1', 'GET', ''],
  ['the ClickHouse door by POST', 'clickhouse', '/', 'POST', 'SELECT 1'],
  ['the ClickHouse door, asked whether it is there', 'clickhouse', '/ping', 'GET', ''],
] as const;

/** How a browser says that somebody else's page asks. */
const foreign: readonly (readonly [string, (host: string) => Headers])[] = [
  ['a page of another site', () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' })],
  ['a page of the same site and another origin', () => ({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' })],
  [
    'a picture in a foreign page',
    () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }),
  ],
  [
    'a frame in a foreign page',
    () => ({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }),
  ],
  ['a foreign Origin', () => ({ origin: 'https://evil.example' })],
  ['an Origin without a name', () => ({ origin: 'null' })],
  ['another port of this machine', () => ({ origin: 'http://127.0.0.1:1' })],
  ['a name that was pointed here', () => ({ host: 'evil.example' })],
  ['a name that was pointed here, with its own Origin', () => ({ host: 'evil.example:80', origin: 'http://evil.example:80' })],
  ['a name that begins as one of ours', () => ({ host: 'localhost.evil.example' })],
];

describe.each([
  ['without a token', {}, {}],
  ['with a token that the page has got', { STAGEWATCH_TOKEN: token, STAGEWATCH_PUBLIC_URL: publicUrl }, credentials],
])('other sites, %s', (_, env, headers) => {
  const scene = new Scene();
  let service: LaunchedService;
  beforeAll(async () => {
    service = await scene.service({ env });
  });
  afterAll(() => scene.close());

  const json = { 'content-type': 'application/json' };

  it.each(foreign)('%s is refused at every door', async (_name, dress) => {
    for (const [door, kind, path, method, body] of doors) {
      const port = service.ports[kind];
      const host = { host: `127.0.0.1:${port}` };
      const answer = await ask(port, path, { ...json, ...host, ...headers, ...dress(host.host) }, method, body);
      expect([door, answer.status]).toEqual([door, 403]);
    }
  });

  it('tools, which say nothing of a site, are answered', async () => {
    for (const [door, kind, path, method, body] of doors) {
      for (const host of [`127.0.0.1:${service.ports[kind]}`, 'localhost', '[::1]:9']) {
        const answer = await ask(service.ports[kind], path, { ...json, ...headers, host }, method, body);
        expect([door, host, answer.status]).toEqual([door, host, answer.status === 201 ? 201 : 200]);
      }
    }
  });

  it('its own page is answered', async () => {
    const host = `127.0.0.1:${service.ports.http}`;
    const own = { ...headers, host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' };
    expect((await ask(service.ports.http, '/api/runs', own)).status).toBe(200);
    expect((await ask(service.ports.http, '/', { ...headers, host, 'sec-fetch-site': 'none' })).status).toBe(200);
  });

  it('a link in a message of another site leads to the page, by way of a document that holds nothing', async () => {
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    const answer = await ask(service.ports.http, '/alerts', link);
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('http-equiv="refresh"');
    expect(answer.text).not.toContain('<script');
    expect((await ask(service.ports.http, '/api/runs', { ...headers, ...link })).status).toBe(403);
  });
});

describe('the session of a browser', () => {
  const scene = new Scene();
  let service: LaunchedService;
  const start = async (): Promise<void> => {
    service = await scene.service({ env: { STAGEWATCH_TOKEN: token, STAGEWATCH_PUBLIC_URL: publicUrl } });
  };
  beforeAll(start);
  afterAll(() => scene.close());

  const logIn = async (): Promise<{ readonly cookie: string; readonly whole: string }> => {
    const { status, headers } = await ask(service.ports.http, `/?token=${token}`);
    expect(status).toBe(302);
    const whole = headers['set-cookie']![0]!;
    return { cookie: whole.split(';')[0]!, whole };
  };

  it('is random, is not the token, expires, and is for this site over https alone', async () => {
    const [first, second] = [await logIn(), await logIn()];
    expect(first.cookie).not.toBe(second.cookie);
    expect(decodeURIComponent(first.whole)).not.toContain(token);
    expect(first.whole).toMatch(/; HttpOnly/);
    expect(first.whole).toMatch(/; SameSite=Strict/);
    expect(first.whole).toMatch(/; Secure/);
    expect(Number(/Max-Age=(\d+)/.exec(first.whole)?.[1])).toBeGreaterThan(0);
  });

  it('opens the page and its API, and nothing after it was ended', async () => {
    const { cookie } = await logIn();
    const other = await logIn();
    const status = async (path: string, given = cookie): Promise<number> =>
      (await ask(service.ports.http, path, { cookie: given })).status;
    const handshake = '/socket.io/?EIO=4&transport=polling';
    expect([await status('/'), await status('/api/runs'), await status(handshake)]).toEqual([200, 200, 200]);
    expect((await ask(service.ports.http, '/api/session', { cookie }, 'DELETE')).status).toBe(204);
    expect([await status('/'), await status('/api/runs'), await status(handshake)]).toEqual([401, 401, 403]);
    expect(await status('/api/runs', other.cookie)).toBe(200);
  });

  it('does not carry the token: the token as a cookie opens nothing, and neither does a session at the ClickHouse door', async () => {
    for (const name of ['stagewatch_token', 'stagewatch_session']) {
      expect((await ask(service.ports.http, '/api/runs', { cookie: `${name}=${token}` })).status).toBe(401);
    }
    const { cookie } = await logIn();
    expect((await ask(service.ports.clickhouse, '/?query=SELECT+1', { cookie })).status).toBe(401);
  });
});
