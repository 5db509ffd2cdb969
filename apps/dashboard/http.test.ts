import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeJson } from '#bus/messages.js';
import { newId } from '#runtime/ids.js';
import { StagewatchError } from '#runtime/errors.js';
import { ask, type Answer } from './testing/ask.js';
import { startDashboard, type Harness } from './testing/harness.js';
import { memoryBlobs } from './testing/memory-blobs.js';
import { line, Recorder } from './testing/recorder.js';

describe('dashboard - HTTP', () => {
  let house: Harness;
  let recorder: Recorder;
  let get: (path: string) => Promise<Answer>;
  const post = (path: string, body: string): Promise<Answer> =>
    ask(house.port, path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });

  beforeAll(async () => {
    house = await startDashboard({ deletionWaitMs: 300 });
    get = (path) => ask(house.port, path);
    recorder = new Recorder(house.bus, house.store, { name: 'digits', project: 'vision', tags: { seed: '1' } });
    await recorder.update({ step: 3, stage: 'transient' });
    await recorder.series(line('loss.train', [0, 1, 2, 3], [1, 'nan', 'inf', '-inf']));
    await recorder.series(line('sharpness', [0, 2], [6, 7], { source: 'analyzer', bounds: [0.1, 'nan'] }));
    await recorder.finding({
      kind: 'stage',
      step: 1,
      onset: 0,
      from: 'unknown',
      to: 'transient',
      text: 'began',
      evidence: { r: 0.4 },
    });
    await recorder.instruments({ instrument: 'sharpness', on: false, reason: 'no snapshot yet' });
  });
  afterAll(() => house.close());

  test('runs - the rows of the store with a cursor, filtered by project', async () => {
    const { status, json } = await get('/api/runs?project=vision');
    expect(status).toBe(200);
    expect(json['cursor']).toBe(await house.bus.head('live'));
    expect(json['runs']).toEqual([recorder.run]);
    expect((await get('/api/runs?project=else')).json['runs']).toEqual([]);
  });

  test('runs - page after page, each run once, the last page says so', async () => {
    const others = Array.from({ length: 7 }, (_, i) => ({
      ...recorder.run,
      run: newId('r'),
      name: `n${i}`,
      project: 'many',
      createdMs: 1000 + (i >> 1),
    }));
    for (const other of others) await new Recorder(house.bus, house.store, other).update({ step: 1 });
    const found: string[] = [];
    for (let path = '/api/runs?project=many&limit=3'; ;) {
      const { json } = await get(path);
      found.push(...(json['runs'] as { name: string }[]).map(({ name }) => name));
      const next = json['next'] as string | undefined;
      if (next === undefined) break;
      path = `/api/runs?project=many&limit=3&after=${next}`;
    }
    expect(found.toSorted()).toEqual(others.map(({ name }) => name));
    expect((await get('/api/runs?after=nonsense')).status).toBe(400);
  });

  test('a run, its findings and its instruments - the shapes of the live stream', async () => {
    const path = `/api/runs/${recorder.run.run}`;
    expect((await get(path)).json['run']).toEqual(recorder.run);
    const [finding] = (await get(`${path}/findings`)).json['findings'] as Record<string, unknown>[];
    expect(finding).toMatchObject({ kind: 'stage', to: 'transient', evidence: { r: 0.4 }, runName: 'digits', project: 'vision' });
    expect(finding).not.toHaveProperty('detail');
    const instruments = (await get(`${path}/instruments`)).json;
    expect(instruments['instruments']).toEqual([{ instrument: 'sharpness', on: false, reason: 'no snapshot yet' }]);
  });

  test('series - NaN and infinities arrive as their names, bounds only where there are some', async () => {
    const path = `/api/runs/${recorder.run.run}/series`;
    const loss = (await get(`${path}?name=loss.train`)).json;
    expect(loss).toMatchObject({ steps: [0, 1, 2, 3], values: [1, 'nan', 'inf', '-inf'], thinned: false });
    expect(loss).not.toHaveProperty('bounds');
    expect((await get(`${path}?name=sharpness`)).json).toMatchObject({
      values: [6, 7],
      bounds: [0.1, 'nan'],
      source: 'analyzer',
    });
    expect((await get(`${path}?name=loss.train&from=1&to=2`)).json['steps']).toEqual([1, 2]);
  });

  test('series-names - what can be drawn', async () => {
    const { json } = await get(`/api/runs/${recorder.run.run}/series-names`);
    expect(json['names']).toEqual([
      { name: 'loss.train', key: '', source: 'log', points: 4 },
      { name: 'sharpness', key: '', source: 'analyzer', points: 2 },
    ]);
  });

  test.each([
    ['/api/runs/nonsense', 400, 'INVALID_ARGUMENT'],
    ['/api/runs/..%2f..%2fetc', 400, 'INVALID_ARGUMENT'],
    ['/api/runs/%zz', 400, 'MALFORMED_MESSAGE'],
    [`/api/runs/${newId('r')}`, 404, 'UNKNOWN_RUN'],
    ['/api/runs?limit=-1', 400, 'INVALID_ARGUMENT'],
    ['/api/runs?limit=1e9', 400, 'INVALID_ARGUMENT'],
    ['/api/nothing', 404, 'NOT_FOUND'],
    ['/api/alerts/rules', 404, 'NOT_FOUND'],
    ['/assets/..%2findex.html', 404, 'NOT_FOUND'],
    ['/assets/%2e%2e/%2e%2e/package.json', 404, 'NOT_FOUND'],
  ])('%s is refused with %i %s', async (path, status, code) => {
    const answer = await get(path);
    expect(answer.json['code']).toBe(code);
    expect(answer.status).toBe(status);
  });

  test('a refusal names the field, the value and what was expected', async () => {
    const { json } = await get(`/api/runs/${recorder.run.run}/series?name=loss.train&max=1`);
    expect(json).toMatchObject({ field: 'query.max', value: '"1"', expected: 'expected at least 2 points' });
  });

  test('sql - the answer of the store goes out; bodies are checked and bounded', async () => {
    const answer = await post('/api/sql', JSON.stringify({ sql: 'SELECT 1', format: 'JSONEachRow' }));
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toContain('ndjson');
    expect(answer.json).toEqual({ asked: 'SELECT 1', format: 'JSONEachRow' });
    expect((await post('/api/sql', '{"sql": 1}')).json).toMatchObject({
      code: 'INVALID_ARGUMENT',
      field: 'body.sql',
      value: '1',
    });
    expect((await post('/api/sql', '{"sql"')).json['code']).toBe('MALFORMED_MESSAGE');
    const large = await post('/api/sql', JSON.stringify({ sql: 'x'.repeat(400_000) }));
    expect([large.status, large.json['code']]).toEqual([413, 'MESSAGE_TOO_LARGE']);
    // A form of another site can post text, but not JSON.
    const form = await ask(house.port, '/api/sql', {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: '{"sql":"x"}',
    });
    expect(form.status).toBe(400);
  });

  test('bodies nested without end, huge, or with keys of prototypes are refused with 400, and harm nothing', async () => {
    const nested = '['.repeat(100_000);
    const deep = `{"sql":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    const array = `{"sql":[${'1,'.repeat(100_000)}1]}`;
    const prototype = '{"__proto__":{"sql":"SELECT 1"},"constructor":{"prototype":{"polluted":1}}}';
    for (const body of [nested, deep, array, prototype, '[]', 'null', '"x"']) {
      expect([body.slice(0, 20), (await post('/api/sql', body)).status]).toEqual([body.slice(0, 20), 400]);
    }
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('deletion - waits until the order is gone, and says when it is not', async () => {
    const orders = house.bus.kv('deletions');
    const remove = (): Promise<Answer> => ask(house.port, `/api/runs/${recorder.run.run}`, { method: 'DELETE' });
    expect((await remove()).status).toBe(202);
    expect(await orders.get(recorder.run.run)).toBeDefined();
    const second = remove();
    setTimeout(() => void orders.delete(recorder.run.run), 50);
    expect((await second).status).toBe(204);
    expect((await ask(house.port, `/api/runs/${newId('r')}`, { method: 'DELETE' })).status).toBe(404);
  });

  test('metrics and health - answer', async () => {
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/metrics')).text).toContain('stagewatch_records_received_total');
    expect((await get('/readyz')).json['ready']).toBe(true);
  });

  test('the page - its own addresses get the document, and nothing may be loaded from elsewhere', async () => {
    for (const path of ['/', `/runs/${recorder.run.run}`, '/alerts']) {
      const answer = await get(path);
      expect(answer.text).toContain('test page');
      expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    }
    expect((await get('/assets/a.js')).headers['cache-control']).toContain('immutable');
    expect((await get('/elsewhere')).status).toBe(404);
  });

  test('what is no HTTP gets 400 with a code', async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(house.port, '127.0.0.1', () => socket.write('\u0000\u0001garbage\r\n\r\n'));
      let got = '';
      socket.on('data', (chunk) => (got += chunk.toString()));
      socket.on('close', () => resolve(got));
      socket.on('error', reject);
    });
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(text).toContain('"code":"MALFORMED_MESSAGE"');
  });

  test('DNS rebinding - another name for loopback is refused', async () => {
    for (const host of ['evil.example', 'evil.example:7580', '169.254.1.1']) {
      const answer = await ask(house.port, '/api/runs', { headers: { host } });
      expect([answer.status, answer.json['code']]).toEqual([403, 'FORBIDDEN']);
    }
    for (const host of ['localhost', `127.0.0.1:${house.port}`, '[::1]:7580']) {
      expect((await ask(house.port, '/api/runs', { headers: { host } })).status).toBe(200);
    }
  });

  test('another site - may not ask', async () => {
    const host = `127.0.0.1:${house.port}`;
    const foreign = { headers: { host, origin: 'https://evil.example' } };
    expect((await ask(house.port, '/api/runs', foreign)).status).toBe(403);
    expect((await ask(house.port, '/socket.io/?EIO=4&transport=polling', foreign)).status).toBe(403);
    expect((await ask(house.port, '/api/runs', { headers: { host, origin: `http://${host}` } })).status).toBe(200);
  });
});

test('dashboard - not ready: says which part and why', async () => {
  const house = await startDashboard({
    blobs: memoryBlobs(() => Promise.reject(new Error('the disk is gone'))),
    readiness: [{ name: 'collector', check: () => Promise.resolve() }],
  });
  const answer = await ask(house.port, '/readyz');
  expect(answer.status).toBe(503);
  expect(answer.json['checks']).toEqual([
    { name: 'bus', ready: true },
    { name: 'blobs', ready: false, reason: 'the disk is gone' },
    { name: 'store', ready: true },
    { name: 'collector', ready: true },
  ]);
  await house.close();
});

test('dashboard - alerts: rules and deliveries pass through, refusals keep their code', async () => {
  const rules = new Map<string, object>();
  const house = await startDashboard({
    alerts: {
      rules: {
        list: () => Promise.resolve([...rules.values()]),
        put(rule) {
          if ((rule as { kind?: string }).kind === 'bad')
            throw new StagewatchError('INVALID_ARGUMENT', 'no such kind', { field: 'kind' });
          rules.set((rule as { id: string }).id, rule as object);
          return Promise.resolve(rule as object);
        },
        delete: (id) => Promise.resolve(rules.delete(id)),
      },
      deliveries: (filter) => Promise.resolve([filter]),
    },
  });
  const put = (id: string, body: object): Promise<Answer> =>
    ask(house.port, `/api/alerts/rules/${id}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await put('one', { kind: 'stage' })).json['rule']).toEqual({ id: 'one', kind: 'stage' });
  expect((await put('two', { kind: 'bad' })).json).toMatchObject({ code: 'INVALID_ARGUMENT', field: 'kind' });
  expect((await ask(house.port, '/api/alerts/rules')).json['rules']).toHaveLength(1);
  expect((await ask(house.port, '/api/alerts/deliveries?limit=5')).json['deliveries']).toEqual([{ limit: 5 }]);
  expect((await ask(house.port, '/api/alerts/rules/one', { method: 'DELETE' })).status).toBe(204);
  expect(rules.size).toBe(0);
  await house.close();
});

test('dashboard - token: every door asks for it; the page takes it once and keeps a cookie', async () => {
  const token = 'a-token-of-some-length';
  const house = await startDashboard({}, { STAGEWATCH_TOKEN: token, STAGEWATCH_HOST: '127.0.0.1' });
  expect((await ask(house.port, '/api/runs')).json['code']).toBe('UNAUTHENTICATED');
  expect((await ask(house.port, '/')).status).toBe(401);
  expect((await ask(house.port, '/metrics')).status).toBe(401);
  expect((await ask(house.port, '/socket.io/?EIO=4&transport=polling')).status).toBe(403);
  expect((await ask(house.port, '/healthz')).status).toBe(200);
  const authorization = `Bearer ${token}`;
  expect((await ask(house.port, '/api/runs', { headers: { authorization } })).status).toBe(200);
  expect((await ask(house.port, '/api/runs', { headers: { authorization: `${authorization}x` } })).status).toBe(401);
  expect((await ask(house.port, `/?token=wrong`)).status).toBe(401);
  const door = await ask(house.port, `/alerts?token=${token}&x=1`);
  expect([door.status, door.headers.location]).toEqual([302, '/alerts?x=1']);
  const cookie = door.headers['set-cookie']![0]!;
  expect(cookie).toContain('HttpOnly; SameSite=Strict');
  expect(cookie).not.toContain('Secure');
  expect(cookie).not.toContain(token);
  const headers = { cookie: cookie.split(';')[0]! };
  expect((await ask(house.port, '/', { headers })).status).toBe(200);
  expect((await ask(house.port, '/api/session', { headers })).json).toEqual({ session: true });
  expect((await ask(house.port, '/api/session', { headers: { authorization } })).json).toEqual({ session: false });
  expect((await ask(house.port, '/api/session', { method: 'DELETE', headers })).status).toBe(204);
  expect((await ask(house.port, '/', { headers })).status).toBe(401);
  await house.close();
});

test('dashboard - without a token it refuses to start on an address of the network', async () => {
  await expect(startDashboard({}, { STAGEWATCH_HOST: '0.0.0.0' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
});

test('deletions - the order is plain JSON for the analyzer', async () => {
  const house = await startDashboard({ deletionWaitMs: 0 });
  const recorder = new Recorder(house.bus, house.store);
  await recorder.update();
  await ask(house.port, `/api/runs/${recorder.run.run}`, { method: 'DELETE' });
  const order = await house.bus.kv('deletions').get(recorder.run.run);
  expect(JSON.parse(Buffer.from(order!.value).toString())).toHaveProperty('askedMs');
  expect(order!.value.length).toBeLessThan(encodeJson('x'.repeat(100)).length);
  await house.close();
});
