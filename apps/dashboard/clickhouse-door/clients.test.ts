import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findPython } from '../../../test/support/needs.js';
import { openDoor, type OpenDoor } from './testing/open-door.js';

// Clients as they come, over a token: the way Grafana and people's scripts reach the default installation.
const token = 'a-token-of-some-length';
const rowCount = 20_000;
let door: OpenDoor;
beforeAll(async () => {
  door = await openDoor({ token });
  await door.store.write(
    'scalars',
    Array.from({ length: rowCount }, (_, step) => ({
      run: 'r1',
      attempt: 1,
      rank: 0,
      sequence: step,
      index: 0,
      step,
      name: 'loss.train',
      timeMs: 1.7e12 + step,
      value: step === 7 ? Number.NaN : step / 3,
    })),
  );
});
afterAll(() => door.close());

describe('@clickhouse/client', () => {
  const clients: ClickHouseClient[] = [];
  const connect = (options: Parameters<typeof createClient>[0] = {}): ClickHouseClient => {
    const client = createClient({
      url: door.url,
      password: token,
      database: 'stagewatch',
      log: { level: ClickHouseLogLevel.OFF },
      ...options,
    });
    clients.push(client);
    return client;
  };
  afterAll(async () => {
    for (const client of clients) await client.close();
  });

  test('connects and pings in both ways', async () => {
    expect(await connect().ping()).toEqual({ success: true });
    expect(await connect().ping({ select: true })).toEqual({ success: true });
    expect((await connect({ password: 'wrong' }).ping({ select: true })).success).toBe(false);
  });

  test.each([false, true])('asks with bound parameters, compressed: %s', async (compressed) => {
    const result = await connect({ compression: { response: compressed } }).query({
      query: 'SELECT step, value FROM scalars WHERE run = {run:String} AND step IN ({steps:Array(UInt64)}) ORDER BY step',
      query_params: { run: 'r1', steps: [0, 3, 7] },
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_denormals: 1, output_format_json_quote_64bit_integers: 0 },
    });
    expect(await result.json()).toEqual([
      { step: 0, value: 0 },
      { step: 3, value: 1 },
      { step: 7, value: 'nan' },
    ]);
  });

  test('streams', async () => {
    const result = await connect().query({ query: 'SELECT step FROM scalars ORDER BY step', format: 'JSONCompactEachRow' });
    let rows = 0;
    for await (const part of result.stream<[string]>()) rows += part.length;
    expect(rows).toBe(rowCount);
  });

  test('long parameters', async () => {
    const text = `it's ${'x'.repeat(100_000)}\t\\ end`;
    const result = await connect().query({ query: 'SELECT {text:String} AS text', query_params: { text }, format: 'JSON' });
    expect((await result.json<{ text: string }>()).data).toEqual([{ text }]);
  });

  test('hears the engine and the gate', async () => {
    const client = connect();
    await expect(client.query({ query: 'SELECT nothing' })).rejects.toMatchObject({ code: '47', type: 'UNKNOWN_IDENTIFIER' });
    await expect(client.command({ query: 'DROP TABLE scalars_raw' })).rejects.toMatchObject({ code: '164', type: 'READONLY' });
    const insert = client.insert({ table: 'runs_raw', values: [{ run: 'x' }], format: 'JSONEachRow' });
    await expect(insert).rejects.toMatchObject({ code: '164' });
  });
});

const script = `
import json, math, sys
import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError
port, token = int(sys.argv[1]), sys.argv[2]
client = clickhouse_connect.get_client(host='127.0.0.1', port=port, username='default', password=token, database='stagewatch')
out = {'ping': client.ping(), 'version': client.server_version}
out['count'] = client.query('SELECT count() FROM scalars').result_rows[0][0]
out['bound'] = client.query('SELECT {a:String}, {b:UInt8}', parameters={'a': "it's\\t\\\\", 'b': 3}).result_rows[0]
out['nan'] = math.isnan(client.query('SELECT value FROM scalars WHERE step = 7').result_rows[0][0])
out['time'] = client.query('SELECT time FROM scalars WHERE step = 1').result_rows[0][0].isoformat()
with client.query_row_block_stream('SELECT step, value, name FROM scalars ORDER BY step') as blocks:
    out['streamed'] = sum(len(block) for block in blocks)
out['setting'] = client.query("SELECT getSetting('max_block_size')", settings={'max_block_size': 11}).result_rows[0][0]
out['numpy'] = float(client.query_np('SELECT step FROM scalars WHERE step < 5 ORDER BY step').sum())
out['raw'] = client.raw_query('SELECT 1', fmt='CSV').decode()
out['errors'] = []
for action in (lambda: client.query('SELECT nothing'), lambda: client.command('DROP TABLE runs_raw'),
               lambda: client.insert('migrations', [[9, 'x', 'y']], column_names=['number', 'name', 'checksum'])):
    try:
        action()
        out['errors'].append('none')
    except ClickHouseError as error:
        out['errors'].append(str(error))
try:
    clickhouse_connect.get_client(host='127.0.0.1', port=port, username='default', password='wrong')
except ClickHouseError as error:
    out['wrong'] = str(error)
print(json.dumps(out))
`;

const python = findPython('clickhouse-connect at the ClickHouse door', ['clickhouse_connect', 'numpy']);

test.skipIf(python === undefined)('clickhouse-connect connects, asks and streams', async () => {
  const { stdout } = await promisify(execFile)(python!, ['-c', script, `${door.port}`, token]);
  const said = JSON.parse(stdout) as Record<string, unknown> & { errors: string[] };
  expect(said).toMatchObject({
    ping: true,
    count: rowCount,
    bound: ["it's\t\\", 3],
    nan: true,
    streamed: rowCount,
    setting: 11,
    numpy: 10,
    raw: '1\n',
    time: '2023-11-14T22:13:20.001000',
  });
  expect(said.version).toMatch(/^\d+\.\d+/);
  expect(said.errors[0]).toMatch(/UNKNOWN_IDENTIFIER/);
  expect(said.errors[1]).toMatch(/READONLY/);
  expect(said.errors[2]).toMatch(/not accepted|READONLY|not UTF-8/);
  expect(said.wrong).toMatch(/token|AUTHENTICATION_FAILED/);
});
