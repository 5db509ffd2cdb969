/** A grammar of statements: each rule calls the others at random, which is why they stand in one file. */
import type { Canaries } from './canaries.js';

/** A statement with whether it tries to reach out, and what is bound to its parameters. */
export interface Statement {
  readonly sql: string;
  readonly reaches: boolean;
  /** Changed at random after it was made: it may mean anything, or nothing. */
  readonly mutated: boolean;
  readonly parameters: Readonly<Record<string, string>>;
}

type Random = () => number;

/** mulberry32: the same seed gives the same statements. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const maxDepth = 4;
const mutatedShare = 0.25;
const reachingShare = 0.7;

/**
 * Makes statements of ClickHouse's SQL, most of which carry an attack somewhere: one of the calls that reach out, dressed
 * in one of its spellings, at one of the places where an expression or a table may stand.
 */
export class StatementGrammar {
  /** Set when the statement under way has got its attack. */
  private armed = false;
  private depth = 0;

  constructor(
    private readonly random: Random,
    private readonly canaries: Pick<Canaries, 'secretPath' | 'folder' | 'port'>,
  ) {}

  next(): Statement {
    this.armed = false;
    this.depth = 0;
    const wanted = this.random() < reachingShare;
    let sql = this.statement(wanted);
    const reaches = this.armed;
    const mutated = this.random() < mutatedShare;
    if (this.random() < 0.4) sql = this.disguise(sql);
    if (mutated) sql = this.mutate(sql);
    return { sql, reaches, mutated, parameters: this.parameters() };
  }

  private parameters(): Readonly<Record<string, string>> {
    const { secretPath } = this.canaries;
    return { f: 'file', d: 'default', t: secretPath, s: secretPath, n: '1' };
  }

  private statement(attack: boolean): string {
    return this.pick<() => string>([
      () => this.select(attack),
      () => this.select(attack),
      () => this.select(attack),
      () => this.select(attack),
      () => `${this.select(attack)}${this.tail(attack && !this.armed)}`,
      () => this.show(attack),
      () => this.describe(attack),
      () => `EXPLAIN ${this.pick(['', 'SYNTAX', 'AST', 'PLAN actions = 1', 'PIPELINE', 'QUERY TREE'])} ${this.select(attack)}`,
      () => (attack ? this.writes() : this.select(false)),
    ])();
  }

  private show(attack: boolean): string {
    const what = this.pick([
      'TABLES',
      'COLUMNS FROM runs',
      'INDEXES FROM runs',
      'TABLES FROM system',
      'FULL TABLES',
      'KEYS FROM runs',
    ]);
    const like = this.pick(['', " LIKE 'r%'", " NOT ILIKE '%x'"]);
    if (!attack) return `SHOW ${this.pick(['TABLES', 'COLUMNS FROM runs'])}${like}`;
    const expression = this.expression(true);
    return this.pick([
      `SHOW ${what} WHERE throwIf(1, (SELECT toString(${expression})))`,
      `SHOW ${what} WHERE ${expression} = ''`,
      `SHOW ${what} LIMIT (SELECT length(toString(${expression})))`,
      `SHOW ${what} WHERE name IN (SELECT toString(${expression}))`,
    ]);
  }

  private describe(attack: boolean): string {
    if (!attack)
      return this.pick(['DESC runs', 'DESCRIBE TABLE scalars', 'EXISTS runs', 'SHOW CREATE TABLE runs', 'DESCRIBE (SELECT 1)']);
    const table = this.pick<() => string>([() => this.table(true), () => `(${this.select(true)})`])();
    return this.pick([`DESCRIBE ${table}`, `DESCRIBE TABLE ${table}`, `EXISTS ${table}`, `SHOW CREATE TABLE ${table}`]);
  }

  private writes(): string {
    this.armed = true;
    const { folder, secretPath, port } = this.canaries;
    return this.pick([
      `SELECT 1 INTO OUTFILE '${folder}/out.csv' FORMAT CSV`,
      `SELECT 1 INTO OUTFILE '${folder}/out.csv' TRUNCATE FORMAT CSV`,
      `INSERT INTO FUNCTION file('${folder}/out.csv', CSV, 'a UInt8') SELECT 1`,
      `INSERT INTO FUNCTION url('http://127.0.0.1:${port}/', CSV, 'a UInt8') SELECT 1`,
      `SELECT 1 AS a FORMAT Protobuf SETTINGS output_format_schema = '${folder}/out.proto'`,
      `SELECT 1 AS a SETTINGS output_format_schema = '${folder}/out.proto' FORMAT Protobuf`,
      `SELECT 1 AS a FORMAT ProtobufSingle SETTINGS max_block_size = {n:UInt64}, output_format_schema = '${folder}/b.proto'`,
      `CREATE TABLE t (a UInt8) ENGINE = File(CSV, '${folder}/t.csv')`,
      `CREATE TABLE t ENGINE = Memory AS SELECT file('${secretPath}')`,
      `SELECT * FROM sqlite('${folder}/made.db', 'a')`,
      `BACKUP TABLE runs_raw TO File('${folder}/backup')`,
      `CREATE DATABASE d ENGINE = SQLite('${folder}/d.db')`,
      `SELECT count() FROM (SELECT * FROM system.one INTO OUTFILE '${folder}/inner.csv')`,
      `WITH x AS (SELECT 1) INSERT INTO FUNCTION file('${folder}/with.csv', CSV) SELECT * FROM x`,
      `SELECT 1; INSERT INTO FUNCTION file('${folder}/second.csv', CSV, 'a UInt8') SELECT 1`,
      `DESCRIBE TABLE (SELECT 1) INTO OUTFILE '${folder}/describe.csv'`,
      `SHOW TABLES INTO OUTFILE '${folder}/show.csv'`,
    ]);
  }

  /** A query; an attack, where one is wanted, stands at exactly one of its places. */
  private select(attack: boolean): string {
    this.depth++;
    const place = attack ? this.pick(['columns', 'columns', 'from', 'where', 'with', 'rest', 'transformer', 'union']) : '';
    const at = (here: string): boolean => place === here;
    const cte = at('with')
      ? this.pick<() => string>([
          () => `WITH c AS (${this.select(true)}) `,
          () => `WITH ${this.expression(true)} AS c `,
          () => `WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL ${this.select(true)}) `,
          () => `WITH x -> ${this.call('x')} AS c `,
        ])()
      : this.pick(['', '', 'WITH 1 AS one ', 'WITH w AS (SELECT 2 AS two) ']);
    const columns = at('transformer')
      ? this.transformer()
      : Array.from({ length: 1 + this.upTo(2) }, (_, i) => `${this.expression(at('columns') && i === 0)} AS a${i}`).join(', ');
    const from = at('transformer')
      ? ` FROM (SELECT ${this.string(this.canaries.secretPath)} AS a, 'x' AS b)`
      : at('from')
        ? ` FROM ${this.table(true)}`
        : this.pick(['', '', ' FROM numbers(3)', ' FROM runs', ' FROM (SELECT 1 AS k) AS t', ' FROM system.one']);
    const where = at('where') ? ` WHERE ${this.condition(true)}` : this.pick(['', '', ' WHERE 1']);
    const rest = at('rest') ? this.rest() : this.pick(['', '', ' LIMIT 1', ' ORDER BY 1']);
    const union = at('union') ? ` UNION ALL ${this.select(true)}` : '';
    this.depth--;
    return `${cte}SELECT ${columns}${from}${where}${rest}${union}`;
  }

  private rest(): string {
    const expression = this.expression(true);
    return this.pick([
      ` GROUP BY ${expression}`,
      ` GROUP BY 1 HAVING ${expression} = ''`,
      ` ORDER BY ${expression}`,
      ` ORDER BY 1 WITH FILL FROM 1 TO 3 INTERPOLATE (a0 AS ${expression})`,
      ` LIMIT (SELECT length(toString(${expression})))`,
      ` LIMIT 1 BY ${expression}`,
      ` LIMIT 1 OFFSET length(toString(${expression}))`,
      ` WINDOW w AS (PARTITION BY ${expression})`,
      ` QUALIFY ${expression} = ''`,
      ` SETTINGS max_threads = 1, additional_result_filter = '${expression.replaceAll("'", "\\'")}'`,
    ]);
  }

  /** Column transformers, which the engine's own syntax tree hides. */
  private transformer(): string {
    const columns = this.pick(['*', "COLUMNS('a')", 'COLUMNS(a, b)', 't.*', '* EXCEPT (b)']);
    const [name, spelled] = this.spelledFile();
    this.armed = true;
    return this.pick([
      `${columns} APPLY(x -> ${this.call('x')})`,
      `${columns} APPLY ${spelled}`,
      `${columns} APPLY(${spelled})`,
      `${columns} APPLY(${spelled}, 'pre_')`,
      `${columns} APPLY toString APPLY(y -> concat(${name}(y), ''))`,
      `${columns} REPLACE(${this.call('a')} AS a)`,
      `${columns} APPLY(x -> (SELECT * APPLY(y -> ${this.call('y')}) FROM (SELECT x AS y)))`,
      `${columns} APPLY(x -> arrayMap(${spelled}, [x]))`,
      `${columns} APPLY(x -> x IN default.\`${this.canaries.secretPath}\`)`,
    ]);
  }

  private expression(attack: boolean): string {
    if (attack) return this.depth < maxDepth && this.random() < 0.5 ? this.wrap() : this.attackExpression();
    if (this.depth >= maxDepth) return this.leaf();
    this.depth++;
    const made = this.pick<() => string>([
      () => this.leaf(),
      () => `${this.expression(false)} = ${this.expression(false)}`,
      () => `toString(${this.expression(false)})`,
      () => `concat(toString(${this.expression(false)}), 'y')`,
      () => `arrayMap(x -> toString(x), [${this.leaf()}])`,
      () => `if(1, ${this.leaf()}, NULL)`,
      () => `CASE WHEN 1 THEN ${this.leaf()} END`,
      () => `(SELECT ${this.leaf()})`,
      () => `tuple(${this.expression(false)}, 1).1`,
    ])();
    this.depth--;
    return made;
  }

  private wrap(): string {
    this.depth++;
    const inner = this.expression(true);
    this.depth--;
    return this.pick([
      `toString(${inner})`,
      `concat('', toString(${inner}))`,
      `(SELECT ${inner})`,
      `(SELECT any(z) FROM (SELECT ${inner} AS z))`,
      `arrayMap(x -> ${inner}, [1])`,
      `arrayFilter(x -> (${inner}) != '', ['k'])`,
      `CASE WHEN 1 THEN ${inner} END`,
      `if(1, ${inner}, '')`,
      `throwIf(1, (SELECT toString(${inner})))`,
      `first_value(${inner}) OVER (PARTITION BY 1)`,
      `hex(toString(${inner}))`,
      `tuple(${inner}, 1).1`,
      `[${inner}][1]`,
      `map('k', ${inner})['k']`,
      `CAST(${inner} AS String)`,
      `(1 + length(toString(${inner})))`,
    ]);
  }

  private attackExpression(): string {
    this.armed = true;
    const { secretPath } = this.canaries;
    const quoted = this.string(secretPath);
    const inText = secretPath.replaceAll("'", "''");
    const [, spelled] = this.spelledFile();
    return this.pick<() => string>([
      () => this.call(quoted),
      () => this.call('{s:String}'),
      () => `arrayMap(${spelled}, [${quoted}])`,
      () => `arrayMap({f:Identifier}, [${quoted}])`,
      () => `arrayFold((acc, x) -> ${this.call('x')}, [${quoted}], '')`,
      () => `(SELECT toString(groupArray(line)) FROM ${this.sourceTable('line')})`,
      () => `(SELECT ${this.transformer()} FROM (SELECT ${quoted} AS a, 'b' AS b))`,
      () => `(SELECT any(b) FROM format(CSV, 'a String, b String DEFAULT file(''${inText}'')', '1,'))`,
      () => `(SELECT any(b) FROM format('CSV', concat('a String, b String DEFAULT fi', 'le(''${inText}'')'), '1,'))`,
      () => `(SELECT any(b) FROM generateRandom('a UInt8, b String ALIAS file(''${inText}'')') LIMIT 1)`,
      () => `(SELECT any(b) FROM values('a UInt8, b String ALIAS file(''${inText}'')', (1)))`,
      () => `('x' IN default.\`${secretPath}\`)`,
      () => `('x' IN (SELECT * FROM {d:Identifier}.{t:Identifier}))`,
      () => `(1 IN format('CSV', 'a UInt8 DEFAULT length(file(''${inText}''))', '1'))`,
      () =>
        this.pick([
          'hostName()',
          'getOSKernelVersion()',
          'filesystemCapacity()',
          "getServerPort('tcp_port')",
          'serverUUID()',
          "getMacro('x')",
        ]),
      () =>
        this.pick([
          "dictGet('d', 'a', 1)",
          "joinGet('j', 'v', 1)",
          "catboostEvaluate('/m', 1)",
          'addressToLine(1)',
          "hasColumnInTable('default', '/etc/passwd', 'c1')",
        ]),
    ])();
  }

  private condition(attack: boolean): string {
    const expression = this.expression(attack);
    return this.pick([
      `${expression} = ''`,
      `throwIf(1, toString(${expression}))`,
      `1 IN (SELECT 1 WHERE ${expression} != '')`,
      `NOT (${expression} LIKE '%')`,
    ]);
  }

  private table(attack: boolean): string {
    if (!attack) return this.pick(['runs', 'numbers(2)', 'system.one']);
    this.armed = true;
    const { secretPath } = this.canaries;
    return this.pick<() => string>([
      () => this.sourceTable('line'),
      () => `default.\`${secretPath}\``,
      () => `"default"."${secretPath}"`,
      () => '{d:Identifier}.{t:Identifier}',
      () => `view(SELECT ${this.attackExpression()})`,
      () => `numbers(length(${this.attackExpression()}))`,
      () => `(SELECT ${this.attackExpression()} AS q)`,
      () => `system.one ARRAY JOIN [${this.attackExpression()}] AS q`,
      () => `system.one AS l JOIN (SELECT 1 AS k) AS r ON ${this.attackExpression()} = ''`,
      () => `merge('default', '.*')`,
      () => `system.processes`,
      () => `loop(${this.sourceTable('line')})`,
      () => `viewExplain('EXPLAIN', '', (SELECT ${this.attackExpression()}))`,
      () => `eval('SELECT file(''${secretPath}'')')`,
    ])();
  }

  /** A table function that reads a file or asks the network. */
  private sourceTable(column: string): string {
    const { secretPath, folder, port } = this.canaries;
    const address = `127.0.0.1:${port}`;
    const [, spelled] = this.spelledFile();
    return this.pick([
      `${spelled}(${this.string(secretPath)}, LineAsString, '${column} String')`,
      `${spelled}(${this.string(secretPath)}, CSV, '${column} String')`,
      `fileCluster('default', '${secretPath}', LineAsString, '${column} String')`,
      `filesystem('${secretPath}')`,
      `url('http://${address}/x', LineAsString, '${column} String')`,
      `urlCluster('default', 'http://${address}/x', LineAsString, '${column} String')`,
      `remote('${address}', system.one)`,
      `remoteSecure('${address}', 'system', 'one')`,
      `cluster('default', system.one)`,
      `mysql('${address}', 'a', 'b', 'c', 'd')`,
      `postgresql('${address}', 'a', 'b', 'c', 'd')`,
      `mongodb('${address}', 'a', 'b', 'c', 'd', '${column} String')`,
      `redis('${address}', '${column}', '${column} String')`,
      `s3('http://${address}/b/x', 'CSV', '${column} String')`,
      `azureBlobStorage('http://${address}', 'c', 'p', 'u', 'k')`,
      `hdfs('hdfs://${address}/x', 'CSV', '${column} String')`,
      `odbc('DSN=x', 'a', 'b')`,
      `jdbc('x', 'a', 'b')`,
      `sqlite('${folder}/x.db', 'a')`,
      `executable('cat', CSV, '${column} String')`,
      `icebergLocal('${folder}')`,
      `deltaLakeLocal('${folder}')`,
      `iceberg('http://${address}/b/x')`,
    ]);
  }

  private tail(attack: boolean): string {
    if (attack)
      return ` ${this.pick(['FORMAT Template SETTINGS format_template_row = ', 'SETTINGS format_schema = '])}'${this.arm()}'`;
    return this.pick(['', ' FORMAT JSON', ' SETTINGS max_threads = 1', ' FORMAT TSV SETTINGS max_block_size = 10']);
  }

  private arm(): string {
    this.armed = true;
    return this.canaries.secretPath;
  }

  private call(argument: string): string {
    const [, spelled] = this.spelledFile();
    this.armed = true;
    return `${spelled}${this.pick(['(', ' (', '/**/(', '\n('])}${argument})`;
  }

  /** The name as it is, and in one of its spellings. */
  private spelledFile(): readonly [string, string] {
    return ['file', this.pick(['file', 'file', '`file`', '"file"', 'FILE', 'File', '/* c */ file'])];
  }

  private string(text: string): string {
    const hex = Buffer.from(text).toString('hex');
    return this.pick([
      `'${text}'`,
      `'${text}'`,
      `unhex('${hex}')`,
      `'${text.replace('/', '\\x2f')}'`,
      `concat('${text.slice(0, 3)}', '${text.slice(3)}')`,
    ]);
  }

  private leaf(): string {
    return this.pick(['1', "'a'", 'NULL', 'pi()', "'it''s file(x)'", '[1, 2][1]', 'today()', "'x' || 'y'", '{n:UInt8}', '-1.5']);
  }

  /** Comments, case and white space, none of which changes what a statement means. */
  private disguise(sql: string): string {
    const change = (space: string): string => (this.random() < 0.2 ? this.pick(['\n', '\t', ' /* x */ ', '  ', ' /**/']) : space);
    return sql
      .split("'")
      .map((part, i) => (i % 2 === 0 ? part.replaceAll(' ', change) : part))
      .join("'");
  }

  private mutate(sql: string): string {
    let text = sql;
    for (let i = 1 + this.upTo(3); i > 0; i--) {
      const at = Math.floor(this.random() * text.length);
      const length = this.upTo(6);
      const piece = this.pick([
        '(',
        ')',
        "'",
        '`',
        ',',
        ' ',
        '--',
        '/*',
        '*/',
        ';',
        ' FORMAT Null',
        '\u00a0',
        '\ufeff',
        '\\',
        ' AS file',
        ' FROM ',
        ' APPLY ',
      ]);
      text = this.pick([
        text.slice(0, at) + text.slice(at + length),
        text.slice(0, at) + piece + text.slice(at),
        text.slice(0, at) + text.slice(at, at + length) + text.slice(at),
      ]);
    }
    return text;
  }

  private pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random() * choices.length)]!;
  }

  private upTo(count: number): number {
    return Math.floor(this.random() * (count + 1));
  }
}
