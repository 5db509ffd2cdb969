import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ForeignQuery, Store } from '../store.js';
import { openTemporaryStore, readText } from '../testing/temporary-store.js';

let store: Store;
let close: () => Promise<void>;
let outside: string;
beforeAll(async () => {
  const temporary = await openTemporaryStore();
  store = temporary.store;
  close = () => temporary.close();
  outside = await mkdtemp(join(tmpdir(), 'stagewatch-outside-'));
  await writeFile(join(outside, 'secret.csv'), 'secret\n');
  await store.write(
    'scalars',
    Array.from({ length: 10 }, (_, i) => ({
      run: 'r1',
      attempt: 1,
      rank: 0,
      sequence: i,
      index: 0,
      step: i,
      name: 'loss.train',
      value: 1 / (i + 1),
      timeMs: 1.7e12,
    })),
  );
});
afterAll(async () => {
  await close();
  await rm(outside, { recursive: true });
});

const ask = async (sql: string, rest: Omit<ForeignQuery, 'sql'> = {}): Promise<string> =>
  readText(await store.query({ sql, ...rest }));

describe('answers', () => {
  test.each([
    ['SELECT 1', '1\n'],
    ['select count() from scalars -- a comment', '10\n'],
    ['/* leading */ WITH x AS (SELECT 2 AS n) SELECT n FROM x', '2\n'],
    ['(SELECT 1) UNION ALL (SELECT 1)', '1\n1\n'],
    [
      "SELECT 'INTO OUTFILE', 'a; b', 'FORMAT JSON SETTINGS readonly = 0'",
      'INTO OUTFILE\ta; b\tFORMAT JSON SETTINGS readonly = 0\n',
    ],
    ['SELECT 1 AS `format`, 2 AS settings FORMAT TSVWithNames', 'format\tsettings\n1\t2\n'],
    ['SELECT 1 AS x FORMAT JSONEachRow SETTINGS max_threads = 1', '{"x":1}\n'],
    ['SELECT 1 AS x SETTINGS max_threads = 1 FORMAT JSONEachRow', '{"x":1}\n'],
    ['SELECT 1 AS x SETTINGS max_threads = 1, max_block_size = 10', '1\n'],
    ['SELECT number FROM (SELECT * FROM numbers(2) SETTINGS max_threads = 1)', '0\n1\n'],
    ["SELECT format('{}-{}', 'a', 'b')", 'a-b\n'],
    ['SELECT count() > 100 FROM system.settings', '1\n'],
    ["SHOW TABLES LIKE 'scalars'", 'scalars\n'],
    ["SHOW TABLES NOT LIKE '%s%' LIMIT 3", ''],
    ["SHOW TABLES WHERE name LIKE 'run%' AND (1 = 1) LIMIT 1", 'runs\n'],
    ["SHOW TABLES FROM system LIKE 'process%'", ''],
    ["SHOW COLUMNS FROM runs_raw LIKE 'run'", 'run\tString\tNO\tPRI SOR\t\\N\t\n'],
    ["SHOW DATABASES LIKE 'stage%'", 'stagewatch\n'],
    ["SHOW SETTINGS LIKE 'max_block_size'", 'max_block_size\tNonZeroUInt64\t65409\n'],
    ['EXISTS no_such_table', '0\n'],
    ['EXISTS DATABASE stagewatch', '1\n'],
    ['DESCRIBE (SELECT 1 AS x)', 'x\tUInt8\t\t\t\t\t\n'],
    ['SELECT * APPLY(x -> x + 1) APPLY toString FROM (SELECT 1 AS a)', '2\n'],
    ['SELECT * APPLY(x -> x) EXCEPT a, * APPLY(x -> if(x = 1, [x, 5][2], -x)) FROM (SELECT 1 AS a, 2 AS b)', '1\t2\t5\t-2\n'],
    ['SELECT * APPLY((x) -> (SELECT 7)) FROM (SELECT 1 AS a) WHERE 1 ORDER BY 1', '7\n'],
    ["SELECT * APPLY(quantile(0.5)), COLUMNS('a') APPLY(sum) FROM (SELECT 1 AS a)", '1\t1\n'],
    ['SELECT t.file, 1 AS url FROM (SELECT 1 AS file) AS t', '1\t1\n'],
    ['SELECT sumIf(1, number > 0), countDistinct(number), uniqExactOrNull(number) FROM numbers(3)', '2\t3\t3\n'],
    ['SELECT a, b FROM (VALUES (1, 2)) AS t(a, b)', '1\t2\n'],
    ["SELECT CASE WHEN 1 THEN 'y' END, x::String, [1, 2][1], (1, 'z').2 FROM (SELECT 1 AS x)", 'y\t1\t1\tz\n'],
    ['EXISTS TABLE runs', '1\n'],
    ['SELECT 1 IN t.a FROM (SELECT [1] AS a) AS t', '1\n'],
    ['SELECT number FROM numbers(10) FORMAT Null', ''],
    ["SELECT sum(value) > 2 FROM series WHERE run = 'r1' AND step IN (SELECT number FROM numbers(5))", '1\n'],
  ])('%s', async (sql, expected) => {
    expect(await ask(sql)).toBe(expected);
  });

  test('DESCRIBE, SHOW CREATE and EXPLAIN', async () => {
    expect(await ask('DESC scalars')).toContain('value\tFloat64');
    expect(await ask('SHOW CREATE TABLE runs')).toContain('CREATE VIEW');
    expect(await ask('EXPLAIN SELECT 1')).toContain('ReadFrom');
  });

  test('parameters as text, and never as SQL', async () => {
    const sql = 'SELECT {a:UInt8} + 1, {b:String}, {c:Array(String)}, {d:Nullable(String)} IS NULL';
    const parameters = { a: '3', b: "it's; DROP TABLE runs", c: "['x','y']", d: null };
    expect(await ask(sql, { parameters, format: 'JSONCompactEachRow' })).toBe('[4, "it\'s; DROP TABLE runs", ["x","y"], 1]\n');
    expect(await ask('SELECT count() FROM {t:Identifier}', { parameters: { t: 'scalars' } })).toBe('10\n');
  });

  test('a large result in parts, in every kind of format', async () => {
    const sql = 'SELECT number FROM numbers(300000)';
    expect((await ask(sql)).split('\n')).toHaveLength(300_001);
    const json = JSON.parse(await ask(sql, { format: 'JSON' })) as { rows: number; data: unknown[] };
    expect([json.rows, json.data.length]).toEqual([300_000, 300_000]);
    expect((await ask(sql, { format: 'CSVWithNames' })).split('\n')).toHaveLength(300_002);
  });

  test('a query leaves nothing behind for the next one', async () => {
    await ask('SELECT 1', { settings: { max_block_size: '7', output_format_json_quote_64bit_integers: '1' } });
    await ask('SELECT name FROM tables LIMIT 1', { database: 'system' });
    for (let i = 0; i < 4; i++) {
      expect(await ask("SELECT getSetting('max_block_size') = 7, currentDatabase()")).toBe('0\tstagewatch\n');
    }
  });

  test('queries beside a long one, and more than there are connections', async () => {
    const slow = ask('SELECT sum(sleepEachRow(0.02)) FROM numbers(20) SETTINGS max_block_size = 1');
    const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => ask(`SELECT ${i}`)));
    expect(answers).toEqual(Array.from({ length: 12 }, (_, i) => `${i}\n`));
    await slow;
  });
});

describe('refuses', () => {
  test.each([
    ['SELECT 1; DROP TABLE runs', /Multi-statements/],
    ['DROP TABLE runs', /READONLY/],
    ["INSERT INTO runs_raw (run) VALUES ('x')", /READONLY/],
    ['WITH x AS (SELECT 1) INSERT INTO runs_raw (run) SELECT * FROM x', /READONLY/],
    ['CREATE TABLE t (x UInt8) ENGINE = Memory', /READONLY/],
    ['ALTER TABLE scalars_raw DELETE WHERE 1', /READONLY/],
    ['OPTIMIZE TABLE scalars_raw', /READONLY/],
    ['SET max_threads = 1', /READONLY/],
    ['USE system', /READONLY/],
    ['SYSTEM FLUSH LOGS', /READONLY/],
    ['KILL QUERY WHERE 1', /READONLY/],
    ['EXPLAIN INSERT INTO runs_raw (run) SELECT 1', /READONLY/],
    ["BACKUP TABLE runs_raw TO Disk('x', 'y')", /READONLY/],
    ["SELECT 1 INTO OUTFILE 'OUT/x.csv'", /OUTFILE/],
    ["SELECT 1 into /**/ outfile 'OUT/x.csv' FORMAT CSV", /OUTFILE/],
    ["SELECT * FROM file('OUT/secret.csv', CSV, 'a String')", /ACCESS_DENIED/],
    ["SELECT file('OUT/secret.csv')", /ACCESS_DENIED/],
    ["SELECT * FROM FiLe('OUT/secret.csv', CSV, 'a String')", /ACCESS_DENIED/],
    ["SELECT * FROM `file`('OUT/secret.csv', CSV, 'a String')", /ACCESS_DENIED/],
    ['SELECT * FROM default.`OUT/secret.csv`', /ACCESS_DENIED/],
    ['SELECT * FROM "default"."OUT/secret.csv"', /ACCESS_DENIED/],
    ["SELECT 'a' IN default.`OUT/secret.csv`", /ACCESS_DENIED/],
    ['SELECT * FROM numbers(1) AS n, default.`OUT/secret.csv`', /ACCESS_DENIED/],
    ['DESCRIBE default.`OUT/secret.csv`', /ACCESS_DENIED/],
    ['EXISTS default.`OUT/secret.csv`', /ACCESS_DENIED/],
    ['SHOW COLUMNS FROM `OUT/secret.csv` FROM default', /ACCESS_DENIED/],
    ['SHOW TABLES FROM default', /ACCESS_DENIED/],
    [
      "SHOW TABLES WHERE throwIf(1, (SELECT groupArray(line)::String FROM file('OUT/secret.csv', LineAsString)))",
      /ACCESS_DENIED/,
    ],
    ["SHOW TABLES LIMIT (SELECT count() FROM file('OUT/secret.csv', LineAsString))", /READONLY/],
    ["SHOW COLUMNS FROM runs WHERE file('OUT/secret.csv') = ''", /ACCESS_DENIED/],
    ["SHOW INDEXES FROM runs WHERE file('OUT/secret.csv') = ''", /READONLY/],
    ["SELECT * APPLY(x -> file(x)) FROM (SELECT 'OUT/secret.csv' AS a)", /ACCESS_DENIED/],
    ["SELECT * APPLY file FROM (SELECT 'OUT/secret.csv' AS a)", /ACCESS_DENIED/],
    ["SELECT COLUMNS('a') APPLY(`file`) FROM (SELECT 'OUT/secret.csv' AS a)", /ACCESS_DENIED/],
    ["SELECT * REPLACE (file(a) AS a) FROM (SELECT 'OUT/secret.csv' AS a)", /ACCESS_DENIED/],
    ["SELECT * APPLY(x -> (SELECT x IN default.`OUT/secret.csv`)) FROM (SELECT 'secret' AS a)", /ACCESS_DENIED/],
    ["SELECT arrayMap(file, ['OUT/secret.csv'])", /ACCESS_DENIED/],
    ["WITH x -> file(x) AS f SELECT f('OUT/secret.csv')", /ACCESS_DENIED/],
    ["SELECT b FROM format(CSV, 'a String, b String DEFAULT file(''OUT/secret.csv'')', '1,')", /ACCESS_DENIED/],
    ["SELECT b FROM generateRandom('a UInt8, b String ALIAS file(''OUT/secret.csv'')') LIMIT 1", /ACCESS_DENIED/],
    ["SELECT b FROM values('a UInt8, b String ALIAS file(''OUT/secret.csv'')', (1))", /ACCESS_DENIED/],
    ["SELECT 1 IN format('CSV', 'a UInt8 DEFAULT length(file(''OUT/secret.csv''))', '1')", /ACCESS_DENIED/],
    ["SELECT 1 AS a FORMAT Protobuf SETTINGS output_format_schema = 'OUT/x.proto'", /READONLY/],
    ["SELECT 1 AS a SETTINGS max_block_size = {b:UInt64}, output_format_schema = 'OUT/x.proto' FORMAT Protobuf", /READONLY/],
    ['SELECT 1 SETTINGS max_execution_time = DEFAULT', /READONLY/],
    ["SELECT 1 SETTINGS rename_files_after_processing = 'x'", /READONLY/],
    ['SELECT 1 AS `a\\nFunction b`', /control characters/],
    ['SELECT hostName()', /ACCESS_DENIED/],
    ['SELECT no_such_function(1)', /UNKNOWN_FUNCTION/],
    ['DESCRIBE no_such_table', /UNKNOWN_TABLE/],
    ['SHOW DATABASES WHERE 1', /Code: 62/],
    ["SELECT hasColumnInTable('default', 'OUT/secret.csv', 'c1')", /ACCESS_DENIED/],
    ["SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')", /ACCESS_DENIED/],
    ["SELECT 1 WHERE 1 IN url('http://127.0.0.1:1/', CSV, 'a UInt8')", /ACCESS_DENIED/],
    ["SELECT * FROM remote('127.0.0.1', system.one)", /ACCESS_DENIED/],
    ["SELECT * FROM s3('http://127.0.0.1/x')", /ACCESS_DENIED/],
    ["SELECT * FROM executable('x.sh', TSV, 'a String')", /ACCESS_DENIED/],
    ["SELECT * FROM view(SELECT * FROM file('OUT/secret.csv'))", /ACCESS_DENIED/],
    ["SELECT * FROM merge('default', '.*')", /ACCESS_DENIED/],
    ["DESCRIBE TABLE url('http://127.0.0.1:1/')", /ACCESS_DENIED/],
    ["EXPLAIN SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')", /ACCESS_DENIED/],
    ['SELECT * FROM system.processes', /ACCESS_DENIED/],
    ['SELECT * FROM system.server_settings', /ACCESS_DENIED/],
    ['SHOW PROCESSLIST', /READONLY/],
    ['SELECT 1 SETTINGS readonly = 0', /READONLY/],
    ['SELECT 1 FROM (SELECT 1 SETTINGS max_memory_usage = 0)', /READONLY/],
    ['SELECT 1 SETTINGS max_execution_time = 0', /READONLY/],
    ["SELECT 1 FORMAT CSV SETTINGS format_schema = 'x'", /READONLY/],
    ['SELECT 1 SETTINGS no_such_setting = 1', /UNKNOWN_SETTING/],
    ['SELECT 1 FORMAT NoSuchFormat', /UNKNOWN_FORMAT/],
    ['SELEC 1', /^Code: 62\. (?!.*formatQuery).*SYNTAX_ERROR/],
    ['', /SYNTAX_ERROR|Code: 62/],
    ['SELECT no_such_column FROM runs', /UNKNOWN_IDENTIFIER/],
  ])('%s', async (sql, expected) => {
    await expect(ask(sql.replaceAll('OUT', outside))).rejects.toThrow(expected);
    expect(await readdir(outside)).toEqual(['secret.csv']);
  });

  test('databases and tables smuggled in as parameters', async () => {
    const parameters = { d: 'default', t: `${outside}/secret.csv` };
    await expect(ask('SELECT * FROM {d:Identifier}.{t:Identifier}', { parameters })).rejects.toThrow(/ACCESS_DENIED/);
    await expect(ask('SELECT 1', { database: 'default' })).rejects.toThrow(/ACCESS_DENIED/);
    await expect(ask('SELECT * FROM processes', { database: 'system' })).rejects.toThrow(/ACCESS_DENIED/);
    await expect(ask("SELECT 'x' IN processes", { database: 'system' })).rejects.toThrow(/ACCESS_DENIED/);
    const names = { f: 'file', p: `${outside}/secret.csv` };
    await expect(ask('SELECT arrayMap({f:Identifier}, [{p:String}])', { parameters: names })).rejects.toThrow(/ACCESS_DENIED/);
  });

  test('settings that are unknown, forbidden or written as SQL', async () => {
    await expect(ask('SELECT 1', { settings: { readonly: '0' } })).rejects.toThrow(/READONLY/);
    await expect(ask('SELECT 1', { settings: { nonsense: '0' } })).rejects.toThrow(/UNKNOWN_SETTING/);
    await expect(ask('SELECT 1', { settings: { 'max_threads = 1; DROP TABLE runs; --': '0' } })).rejects.toThrow(
      /UNKNOWN_SETTING/,
    );
    await expect(ask('SELECT 1', { settings: { max_block_size: "1'; DROP TABLE runs; --\\" } })).rejects.toThrow(/Code: /);
    expect(await ask('SELECT count() FROM runs')).toBe('0\n');
  });

  test('a query that takes longer than it may', async () => {
    await expect(ask('SELECT count() FROM numbers(1e14) WHERE NOT ignore(number)', { maxSeconds: 1 })).rejects.toThrow(
      /TIMEOUT_EXCEEDED/,
    );
    const asked = { settings: { max_execution_time: '9999' }, maxSeconds: 7 };
    expect(await ask("SELECT getSetting('max_execution_time')", asked)).toBe('7\n');
  });

  test('an abandoned query gives its connection back', async () => {
    for (let i = 0; i < 5; i++) {
      const stream = await store.query({ sql: 'SELECT number FROM numbers(100000000)' });
      stream.destroy();
    }
    const stopping = new AbortController();
    const stream = await store.query({ sql: 'SELECT number FROM numbers(100000000)', signal: stopping.signal });
    stopping.abort();
    await expect(readText(stream)).rejects.toThrow(/abort/i);
    expect(await ask('SELECT 1')).toBe('1\n');
  });

  test('a query that is given up ends in the engine, whatever its format', async () => {
    const endless = 'SELECT count() FROM numbers(1e14) WHERE NOT ignore(number)';
    for (const format of ['JSON', 'TSV']) {
      const asked = Array.from({ length: 3 }, async () => {
        const stopping = new AbortController();
        setTimeout(() => stopping.abort(), 200);
        await expect(ask(endless, { format, signal: stopping.signal })).rejects.toThrow(/cancel|abort/i);
      });
      await Promise.all(asked);
    }
    expect(await ask('SELECT 1')).toBe('1\n');
  });

  test('a query that fails half way leaves nothing to the next one', async () => {
    for (const format of ['JSON', 'TSV', 'CSVWithNames']) {
      const half = 'SELECT throwIf(number = 100000) FROM numbers(1000000) SETTINGS max_block_size = 1000';
      await expect(ask(half, { format }).then((text) => text.length)).rejects.toThrow(/throwIf/);
      for (let i = 0; i < 3; i++) expect(await ask('SELECT 1')).toBe('1\n');
    }
  });
});
