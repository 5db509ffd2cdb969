/**
 * Behind the gate stands a second wall, and it is tried here without the first: statements go to the engine as they are,
 * from whoever writes and from whoever reads.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openClient } from '#store/clickhouse-client.js';
import { openEngineStore, type EngineStore } from '../support/engine-store.js';

let home: EngineStore;
let outside: string;
let connections = 0;
const listener = createServer((socket) => {
  connections++;
  socket.destroy();
});

beforeAll(async () => {
  home = await openEngineStore();
  outside = mkdtempSync(join(tmpdir(), 'stagewatch-outside-'));
  writeFileSync(join(outside, 'secret.csv'), 'the-secret\n');
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
});
afterAll(async () => {
  await home.close();
  listener.close();
  rmSync(outside, { recursive: true });
});

/** How the engine says that it may not, or cannot reach what it was told to. Never that it did not understand. */
const denied =
  /ACCESS_DENIED|READONLY|SUPPORT_IS_DISABLED|CANNOT_OPEN_FILE|STD_EXCEPTION|PATH_ACCESS_DENIED|UNKNOWN_FUNCTION|UNSUPPORTED_METHOD|SQLITE_ENGINE_ERROR|INVALID_CONFIG_PARAMETER|BAD_ARGUMENTS/;
const statements = [
  "SELECT file('<OUT>/secret.csv')",
  "SELECT file('/etc/passwd')",
  "SELECT file('/proc/<PARENT>/environ')",
  "SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/passwd' AS a)",
  "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
  "SELECT * FROM file('<OUT>/secret.csv', LineAsString)",
  "SHOW TABLES WHERE throwIf(1, (SELECT groupArray(line)::String FROM file('/etc/passwd', LineAsString)))",
  'SELECT * FROM default.`<OUT>/secret.csv`',
  "SELECT * FROM url('http://127.0.0.1:<PORT>/', LineAsString)",
  "SELECT * FROM remote('127.0.0.1:<PORT>', system.one)",
  "SELECT * FROM remoteSecure('127.0.0.1:<PORT>', system.one)",
  "SELECT * FROM s3('http://127.0.0.1:<PORT>/bucket/b.csv')",
  "SELECT * FROM mysql('127.0.0.1:<PORT>', 'a', 'b', 'c', 'd')",
  "SELECT * FROM postgresql('127.0.0.1:<PORT>', 'a', 'b', 'c', 'd')",
  "SELECT * FROM mongodb('127.0.0.1:<PORT>', 'a', 'b', 'c', 'd', 'e String')",
  "SELECT * FROM redis('127.0.0.1:<PORT>', 'key', 'key String, v String')",
  "SELECT * FROM sqlite('<OUT>/made.db', 't')",
  "SELECT * FROM executable('/bin/cat', TSV, 'a String', (SELECT 1))",
  "SELECT 1 INTO OUTFILE '<OUT>/made.csv'",
  "SELECT 1 INTO OUTFILE '<OUT>/secret.csv' TRUNCATE",
  "SELECT 1 INTO OUTFILE '<OUT>/secret.csv' APPEND",
  "INSERT INTO FUNCTION file('<OUT>/made.csv', CSV, 'a UInt8') SELECT 1",
  "INSERT INTO runs_raw (run) FROM INFILE '<OUT>/secret.csv' FORMAT CSV",
  "INSERT INTO FUNCTION url('http://127.0.0.1:<PORT>/', CSV, 'a UInt8') SELECT 1",
  'CREATE TABLE t (x String) ENGINE = File(CSV)',
  "CREATE TABLE t (x String) ENGINE = File(CSV, '<OUT>/secret.csv')",
  "CREATE TABLE t (x String) ENGINE = URL('http://127.0.0.1:<PORT>/', CSV)",
  "CREATE TABLE t (x String) ENGINE = S3('http://127.0.0.1:<PORT>/bucket/b.csv')",
  "CREATE TABLE t (x String) ENGINE = MySQL('127.0.0.1:<PORT>', 'a', 'b', 'c', 'd')",
  "CREATE TABLE t (x String) ENGINE = SQLite('<OUT>/made.db', 't')",
  "CREATE TABLE t (x String) ENGINE = Distributed('default', 'system', 'one')",
  "CREATE DATABASE d ENGINE = Filesystem('<OUT>')",
  "CREATE DATABASE d ENGINE = SQLite('<OUT>/made.db')",
  "CREATE DICTIONARY d (x UInt64, y String) PRIMARY KEY x SOURCE(FILE(PATH '<OUT>/secret.csv' FORMAT 'CSV')) LIFETIME(0) LAYOUT(FLAT())",
  "BACKUP TABLE runs_raw TO File('<OUT>/backup')",
  "RESTORE TABLE runs_raw FROM File('<OUT>/backup')",
  'CREATE FUNCTION f AS (x) -> file(x)',
  'GRANT ALL ON *.* TO default',
  'GRANT SOURCES ON *.* TO default',
  'CREATE USER u',
  'SYSTEM SHUTDOWN',
];

describe.each(['writer', 'foreign', 'page', 'gate'] as const)('without the gate, as %s', (className) => {
  test.each(statements)('%s', async (template) => {
    const { port } = listener.address() as AddressInfo;
    const query = template
      .replaceAll('<OUT>', outside)
      .replaceAll('<PORT>', String(port))
      .replaceAll('<PARENT>', String(process.pid));
    const client = openClient({ kind: 'engine', socketPath: home.engine.socketPath }, className, 'stagewatch');
    const answer = client.exec({ query }).then(async ({ stream }) => {
      const parts: Buffer[] = [];
      for await (const part of stream as AsyncIterable<Buffer>) parts.push(part);
      return Buffer.concat(parts).toString();
    });
    const error = await answer.then(
      (text) => `it answered ${text}`,
      (reason: Error & { type?: string }) => `${reason.type}: ${reason.message}`,
    );
    expect(error).toMatch(denied);
    expect(readdirSync(outside)).toEqual(['secret.csv']);
    expect(readFileSync(join(outside, 'secret.csv'), 'utf8')).toBe('the-secret\n');
    expect(connections).toBe(0);
    await client.close();
  });
});

test('nobody but the owner reaches the socket, and there is no user beyond the four', async () => {
  const client = openClient({ kind: 'engine', socketPath: home.engine.socketPath }, 'default' as 'page');
  await expect(client.command({ query: 'SELECT 1' })).rejects.toThrow(/no such user/);
  await client.close();
});

test('what reads may not write, and what is set ends with its statement', async () => {
  for (const className of ['page', 'gate', 'foreign'] as const) {
    const client = openClient({ kind: 'engine', socketPath: home.engine.socketPath }, className, 'stagewatch');
    for (const query of [
      'CREATE TEMPORARY TABLE t (x String) ENGINE = File(CSV)',
      "INSERT INTO runs_raw (run) VALUES ('x')",
      'DROP TABLE runs_raw',
      'TRUNCATE TABLE runs_raw',
      'ALTER TABLE runs_raw DELETE WHERE 1',
      'OPTIMIZE TABLE runs_raw',
      'CREATE TABLE t (x UInt8) ENGINE = Memory',
      'SET readonly = 0',
      'SELECT 1 SETTINGS readonly = 0',
      "SELECT 1; INSERT INTO runs_raw (run) VALUES ('x')",
      "SET profile = 'default'; SET readonly = 0; INSERT INTO runs_raw (run) VALUES ('x')",
    ])
      await expect(client.command({ query }), `${className}: ${query}`).rejects.toThrow(
        /readonly|READONLY|privileges|ACCESS_DENIED|SETTING_CONSTRAINT/i,
      );
    await client.close();
  }
  expect(await home.store.runs()).toEqual([]);
});

test('a stranger cannot lift its bounds', async () => {
  const client = openClient({ kind: 'engine', socketPath: home.engine.socketPath }, 'foreign', 'stagewatch');
  for (const setting of [
    'max_memory_usage = 100000000000',
    'max_memory_usage = 0',
    'max_threads = 64',
    'max_threads = 0',
    'max_execution_time = 0',
    'max_temporary_data_on_disk_size_for_query = 0',
  ])
    await expect(client.command({ query: `SELECT 1 SETTINGS ${setting}` }), setting).rejects.toThrow(
      /SETTING_CONSTRAINT|shouldn't|should be|constraint/i,
    );
  await client.close();
});
