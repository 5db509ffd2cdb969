import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Session } from 'chdb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Gate } from './gate.js';

// A server that somebody else runs has databases of others, and its user may have the right to read them.
let path: string;
let session: Session;
let gate: Gate;
beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'stagewatch-gate-'));
  session = new Session(path);
  for (const database of ['stagewatch', 'other', '`with.dot`']) {
    await session.queryAsync(`CREATE DATABASE ${database}`);
    await session.queryAsync(`CREATE TABLE ${database}.things (x UInt8) ENGINE = MergeTree ORDER BY x`);
  }
  await session.queryAsync('USE stagewatch');
  const ask = async (sql: string, parameters: Readonly<Record<string, string | null>>): Promise<string> =>
    Object.keys(parameters).length === 0
      ? (await session.queryAsync(sql, { format: 'TSVRaw' })).text()
      : (await session.queryBindAsync(sql, parameters, { format: 'TSVRaw' })).text();
  gate = await Gate.open(ask, 'stagewatch');
});
afterAll(async () => {
  session.close();
  await rm(path, { recursive: true, force: true });
});

const pass = (sql: string): Promise<unknown> =>
  gate.pass({ sql, parameters: {}, settings: {}, format: 'TSV', maxSeconds: 1, database: 'stagewatch' });

test.each([
  'SELECT * FROM other.things',
  'SELECT 1 IN other.things',
  'SELECT 1 NOT IN (`other`.`things`)',
  'SELECT in(1, other.things)',
  'SELECT 1 IN `with.dot`.things',
  'SELECT * APPLY(x -> x IN (other.things)) FROM things',
  'SELECT 1 WHERE (1, 2) GLOBAL IN (other.things)',
  'DESCRIBE other.things',
  'SHOW TABLES FROM other',
])('refuses what is in a database beside ours: %s', async (sql) => {
  await expect(pass(sql)).rejects.toThrow(/Database '(other|with.dot)' is not served here|ACCESS_DENIED/);
});

test.each(['SELECT 1 IN stagewatch.things', 'SELECT x IN t.a FROM (SELECT 1 AS x, [1] AS a) AS t'])(
  'lets through: %s',
  async (sql) => {
    expect(await pass(sql)).toMatchObject({ isSelect: true });
  },
);
