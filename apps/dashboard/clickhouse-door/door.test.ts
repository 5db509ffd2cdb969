import { once } from 'node:events';
import { connect } from 'node:net';
import { gunzipSync, gzipSync } from 'node:zlib';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBlocks, encodeBlock } from './blocks/blocks.js';
import { unescapeParameter } from './request.js';
import { openDoor, type OpenDoor } from './testing/open-door.js';

let door: OpenDoor;
beforeAll(async () => {
  door = await openDoor();
});
afterAll(() => door.close());

const post = (body: NonNullable<RequestInit['body']>, query = '', headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${door.url}/${query}`, { method: 'POST', body, headers });

/** Bytes on the wire, decoded by nobody. */
async function rawRequest(
  path: string,
  headers: Record<string, string>,
): Promise<{ headers: NodeJS.Dict<string | string[]>; body: Buffer }> {
  const [response] = (await once(httpRequest({ port: door.port, host: '127.0.0.1', path, headers }).end(), 'response')) as [
    IncomingMessage,
  ];
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  return { headers: response.headers, body: Buffer.concat(parts) };
}

async function rawBytes(bytes: string): Promise<string> {
  const socket = connect(door.port, '127.0.0.1');
  socket.end(bytes);
  let text = '';
  for await (const part of socket as AsyncIterable<Buffer>) text += part.toString('latin1');
  return text;
}

describe('ClickHouse door', () => {
  test('says that it is there', async () => {
    for (const path of ['/ping', '/', '/replicas_status']) expect(await (await fetch(door.url + path)).text()).toBe('Ok.\n');
  });

  test('answers GET and POST, with the query in the address, in the body or in both', async () => {
    expect(await (await fetch(`${door.url}/?query=SELECT%201`)).text()).toBe('1\n');
    expect(await (await post('SELECT 2')).text()).toBe('2\n');
    expect(await (await post(' + 3', '?query=SELECT%202')).text()).toBe('5\n');
    expect(await (await post('SELECT 1 AS x', '?default_format=JSONEachRow')).text()).toBe('{"x":1}\n');
    expect(await (await post(gzipSync('SELECT 4'), '', { 'content-encoding': 'gzip' })).text()).toBe('4\n');
  });

  test('says what it sends', async () => {
    const response = await post('SELECT 1 FORMAT JSON');
    expect(response.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    expect(response.headers.get('x-clickhouse-format')).toBe('JSON');
    expect((await post('SELECT 1', '?default_format=Native')).headers.get('content-type')).toBe('application/octet-stream');
  });

  test('answers in compressed blocks, and takes them, when that is asked for', async () => {
    const sql = 'SELECT number FROM numbers(100000)';
    const plain = Buffer.from(await (await post(sql)).arrayBuffer());
    const packed = Buffer.from(
      await (
        await post(new Uint8Array(encodeBlock(Buffer.from(sql))), '?compress=1&decompress=1&network_compression_method=LZ4')
      ).arrayBuffer(),
    );
    expect(packed.length).toBeLessThan(plain.length);
    expect(decodeBlocks(packed, plain.length).equals(plain)).toBe(true);
    const empty = await post('SELECT 1 WHERE 0', '?compress=1');
    expect([empty.status, (await empty.arrayBuffer()).byteLength]).toEqual([200, 0]);
  });

  test('FORMAT Null is 200 and no bytes', async () => {
    for (const [sql, query] of [
      ['SELECT number FROM numbers(10) FORMAT Null', ''],
      ['SELECT 1', '?default_format=Null'],
      ['SELECT 1 FORMAT Null', '?compress=1'],
    ] as const) {
      const response = await post(sql, query);
      expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, 0]);
    }
    expect((await post('SELECT throwIf(1) FORMAT Null')).status).toBe(400);
  });

  test('an empty Native result is 200 and no bytes', async () => {
    const response = await post('SELECT 1 WHERE 0', '?default_format=Native');
    expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([200, 0]);
  });

  test('parameters in the address, escaped as text, and long ones as a form', async () => {
    const sql = 'SELECT {a:UInt8} + 1, {b:String}, {c:Nullable(String)} IS NULL';
    const query = `?${new URLSearchParams({ param_a: '3', param_b: "it's\\ta tab", param_c: '\\N' }).toString()}&default_format=JSONCompactEachRow`;
    expect(await (await post(sql, query)).text()).toBe('[4, "it\'s\\ta tab", 1]\n');
    const form = new FormData();
    form.set('query', 'SELECT length({b:String})');
    form.set('param_b', 'x'.repeat(300_000));
    expect(await (await post(form)).text()).toBe('300000\n');
  });

  test.each([
    ['a\\tb', 'a\tb'],
    ['a\\\\tb', 'a\\tb'],
    ["it\\'s", "it's"],
    ['\\N', null],
    ['\\\\N', '\\N'],
    ['plain', 'plain'],
  ])('the parameter %j means %j', (written, meant) => {
    expect(unescapeParameter(written)).toBe(meant);
  });

  test('settings go with the query; parameters of the transport are no settings', async () => {
    const query =
      '?max_block_size=5&session_id=x&wait_end_of_query=1&client_protocol_version=54460&query_id=q&readonly=1&database=default';
    expect(await (await post("SELECT getSetting('max_block_size')", query)).text()).toBe('5\n');
    expect(await (await post("SELECT name = 'settings' FROM tables WHERE name = 'settings'", '?database=system')).text()).toBe(
      '1\n',
    );
    const unknown = await post('SELECT 1', '?nonsense=1');
    expect([unknown.status, unknown.headers.get('x-clickhouse-exception-code')]).toEqual([400, '115']);
  });

  test('gzip when the transport and the query both ask for it', async () => {
    const path = '/?enable_http_compression=1&query=SELECT%20number%20FROM%20numbers(100000)';
    const packed = await rawRequest(path, { 'accept-encoding': 'gzip, deflate' });
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(packed.body).toString().split('\n')).toHaveLength(100_001);
    for (const [address, accepted] of [
      [path.replace('enable_http_compression=1&', ''), 'gzip'],
      [path, 'lz4, zstd'],
      [path, 'gzip;q=0'],
    ] as const) {
      const plain = await rawRequest(address, { 'accept-encoding': accepted });
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(plain.body.length).toBe(588_890);
    }
  });

  test('the first question of clickhouse-go is answered at revision 54460, reporting revision 0', async () => {
    const response = await post(
      'SELECT displayName(), version(), revision(), timezone()',
      '?default_format=Native&client_protocol_version=54460&database=stagewatch',
    );
    const bytes = Buffer.from(await response.arrayBuffer());
    expect([...bytes.subarray(0, 10)]).toEqual([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 4, 1]);
    const head = ['\rdisplayName()', '\x06String\0', '\nstagewatch', '\tversion()', '\x06String\0'].join('');
    expect(bytes.toString('latin1').slice(10)).toContain(head);
    const tail = ['\nrevision()', '\x06UInt32\0', '\0\0\0\0', '\ntimezone()', '\x06String\0', '\x03UTC'].join('');
    expect(bytes.toString('latin1').endsWith(tail)).toBe(true);
  });

  test('errors carry the number, in the text and in a header', async () => {
    const response = await post('SELECT no_such_column');
    expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([400, '47']);
    expect(await response.text()).toMatch(/^Code: 47\. DB::Exception: .*\(UNKNOWN_IDENTIFIER\)\n$/s);
  });

  test('an error after the first rows breaks the answer off', async () => {
    const response = await post('SELECT throwIf(number = 3000000) FROM numbers(10000000)');
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow(/terminated|aborted|closed/);
    expect(await (await post('SELECT 1')).text()).toBe('1\n');
  });

  test.each<[string, number, string, () => Promise<Response>]>([
    ['an insert', 403, '164', () => post("INSERT INTO runs_raw (run) VALUES ('x')")],
    [
      'an insert with data',
      400,
      '36',
      () => post(new Uint8Array([0xff, 0xfe, 0]), '?query=INSERT%20INTO%20runs%20FORMAT%20Native'),
    ],
    ['a compressed insert', 415, '89', () => post('x', '', { 'content-encoding': 'lz4' })],
    ['what is not in blocks, though it says so', 400, '89', () => post('SELECT 1', '?decompress=1')],
    ['two statements', 400, '62', () => post('SELECT 1; DROP TABLE runs_raw')],
    ['a file', 403, '497', () => post("SELECT * FROM file('/etc/passwd', LineAsString)")],
    ['NUL', 400, '36', () => post('SELECT 1\0')],
    ['bytes that are not UTF-8', 400, '36', () => post(new Uint8Array([0x53, 0xff]))],
    ['a body that is not gzip', 400, '36', () => post('SELECT 1', '', { 'content-encoding': 'gzip' })],
    ['nothing', 400, '36', () => post('')],
    ['a body over the limit', 413, '311', () => post(`SELECT '${'x'.repeat(5_000_000)}'`)],
    [
      'gzip that grows over the limit',
      413,
      '311',
      () => post(gzipSync('x'.repeat(50_000_000)), '', { 'content-encoding': 'gzip' }),
    ],
    ['a query over the limit', 413, '311', () => post(`SELECT '${'x'.repeat(300_000)}'`)],
    [
      'an external table',
      400,
      '48',
      () => {
        const form = new FormData();
        form.set('t', new Blob(['1']), 't.tsv');
        return post(form, '?query=SELECT%201');
      },
    ],
    ['a broken form', 400, '36', () => post('x', '', { 'content-type': 'multipart/form-data' })],
    ['another path', 404, '1000', () => fetch(`${door.url}/play`)],
    ['another method', 405, '48', () => fetch(door.url, { method: 'DELETE' })],
    ['a format nobody knows', 400, '73', () => post('SELECT 1', '?default_format=Nonsense')],
    ['a database nobody may see', 403, '497', () => post('SELECT 1', '?database=other')],
    [
      'a page of another name',
      403,
      '497',
      async () => {
        const answer = await rawBytes('GET /?query=SELECT+1 HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
        return new Response('Code: ', {
          status,
          headers: { 'x-clickhouse-exception-code': /exception-code: (\d+)/i.exec(answer)?.[1] ?? '' },
        });
      },
    ],
  ])('refuses %s', async (_, status, code, ask) => {
    const response = await ask();
    expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([status, code]);
    expect(await response.text()).toMatch(/^Code: /);
    expect(await (await post('SELECT count() FROM runs')).text()).toBe('0\n');
  });

  test('what is not HTTP is told so', async () => {
    expect(await rawBytes('\x16\x03\x01\x02\x00\x01\x00')).toMatch(/^HTTP\/1\.1 400 .*Code: 1000\./s);
    expect(await rawBytes(`GET /?query=${'x'.repeat(200_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).toMatch(/^HTTP\/1\.1 431 /);
    expect(await (await post('SELECT 1')).text()).toBe('1\n');
  });

  test('a client that goes away gives its connection back', async () => {
    for (let i = 0; i < 4; i++) {
      const stopping = new AbortController();
      const response = await fetch(door.url, {
        method: 'POST',
        body: 'SELECT number FROM numbers(1000000000)',
        signal: stopping.signal,
      });
      await response.body?.getReader().read();
      stopping.abort();
    }
    expect(await (await post('SELECT 1')).text()).toBe('1\n');
  });
});

describe('ClickHouse door with a token', () => {
  const token = 'a-token-of-some-length';
  let locked: OpenDoor;
  beforeAll(async () => {
    locked = await openDoor({ token, store: door.store });
  });
  afterAll(() => locked.close());

  test.each([
    ['Basic', { authorization: `Basic ${Buffer.from(`default:${token}`).toString('base64')}` }],
    ['headers of its own', { 'x-clickhouse-user': 'default', 'x-clickhouse-key': token }],
    ['Bearer', { authorization: `Bearer ${token}` }],
  ])('takes it as %s', async (_, headers) => {
    expect(await (await fetch(`${locked.url}/?query=SELECT%201`, { headers })).text()).toBe('1\n');
  });

  test.each([
    ['nothing', {}],
    ['a wrong password', { authorization: `Basic ${Buffer.from('default:wrong').toString('base64')}` }],
    ['an empty key', { 'x-clickhouse-key': '' }],
  ])('refuses %s', async (_, headers) => {
    const response = await fetch(`${locked.url}/?query=SELECT%201`, { headers: headers as Record<string, string> });
    expect([response.status, response.headers.get('x-clickhouse-exception-code')]).toEqual([401, '516']);
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic/);
    expect((await fetch(`${locked.url}/ping`)).status).toBe(200);
  });
});
