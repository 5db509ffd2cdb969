import { quote, quoteAll } from '../quote.js';
import { refusal } from './refusal.js';
import { checkTable, systemTables, type ServedTables } from './served.js';
import { closing, nameOf, type Token } from './tokens.js';

/**
 * SHOW, DESCRIBE and EXISTS as queries of our own over the tables of `system`. The engine's syntax tree shows nothing of
 * what stands inside these statements, so none of them reaches the engine: what a condition says becomes the condition of
 * a SELECT, which is looked at like any other.
 */
export interface Rewritten {
  readonly sql: string;
  /** A table that must be there; nobody is told that an absent one has no columns. */
  readonly table?: TableName;
}

export interface TableName {
  readonly database: string;
  readonly table: string;
}

/** Undefined for what is a SELECT or an EXPLAIN already. Throws for what cannot be named. */
export function rewriteStatement(text: string, tokens: readonly Token[], served: ServedTables): Rewritten | undefined {
  const first = tokens[0]?.text ?? '';
  const reader = new StatementReader(text, tokens, served);
  if (reader.take('SHOW')) return show(reader);
  if (reader.take('EXISTS')) return exists(reader);
  if (reader.take('DESCRIBE')) return describe(reader);
  if (/^(SELECT|WITH|\(|EXPLAIN|FROM)$/.test(first)) return undefined;
  throw refusal('READONLY', 'Only SELECT, SHOW, DESCRIBE, EXISTS and EXPLAIN SELECT are answered here');
}

/** The query inside `DESCRIBE (SELECT …)`, the one form that only the engine can answer. */
export function describedQuery(text: string, tokens: readonly Token[]): string | undefined {
  if (tokens[0]?.text !== 'DESCRIBE') return undefined;
  const open = tokens[1]?.text === 'TABLE' ? 2 : 1;
  if (tokens[open]?.text !== '(' || closing(tokens, open) !== tokens.length - 1) return undefined;
  return text.slice(tokens[open].at + 1, tokens.at(-1)!.at).trim();
}

function show(reader: StatementReader): Rewritten {
  reader.take('FULL');
  if (reader.take('DATABASES')) {
    return reader.list('name', `SELECT name FROM system.databases WHERE name IN (${reader.servedList()}) ORDER BY name`);
  }
  if (reader.take('TABLES')) {
    const database = reader.take('FROM') ? reader.database() : reader.served.database;
    const visible = database === 'system' ? ` AND name IN (${quoteAll([...systemTables])})` : '';
    return reader.list(
      'name',
      `SELECT name FROM system.tables WHERE database = ${quote(database)}${visible} AND NOT is_temporary ORDER BY name`,
    );
  }
  reader.take('EXTENDED');
  reader.take('FULL');
  if (reader.take('COLUMNS')) return showColumns(reader);
  if (reader.take('CREATE')) {
    if (!reader.take('TABLE')) reader.expect('VIEW');
    const table = reader.table();
    return { sql: `SELECT formatQuery(create_table_query) AS statement FROM system.tables WHERE ${isTable(table)}`, table };
  }
  if (reader.take('FUNCTIONS')) return reader.list('name', 'SELECT * FROM system.functions ORDER BY name');
  if (reader.take('SETTINGS')) return reader.list('name', 'SELECT name, type, value FROM system.settings ORDER BY name');
  if (reader.take('SETTING')) {
    const sql = `SELECT value FROM system.settings WHERE name = ${quote(reader.name())}`;
    return reader.end({ sql });
  }
  if (reader.take('ENGINES')) return reader.end({ sql: 'SELECT * FROM system.table_engines ORDER BY name' });
  if (reader.take('DICTIONARIES')) return reader.end({ sql: 'SELECT name FROM system.dictionaries ORDER BY name' });
  throw reader.unknown();
}

function showColumns(reader: StatementReader): Rewritten {
  reader.expect('FROM');
  const table = reader.table(() => reader.take('FROM'));
  const key = "multiIf(is_in_primary_key, 'PRI SOR', is_in_sorting_key, 'SOR', '')";
  const rows =
    `SELECT name AS field, type, if(startsWith(type, 'Nullable'), 'YES', 'NO') AS null, ${key} AS key, ` +
    `NULL AS default, '' AS extra FROM system.columns WHERE ${isColumnOf(table)} ORDER BY field`;
  return { ...reader.list('field', rows), table };
}

function exists(reader: StatementReader): Rewritten {
  if (reader.take('DATABASE')) {
    // Of another one the reader of names has already said that it is not served.
    reader.database();
    return reader.end({ sql: 'SELECT toUInt8(1) AS result' });
  }
  if (!reader.take('TABLE')) reader.take('VIEW');
  const table = reader.table();
  return reader.end({ sql: `SELECT toUInt8(count() > 0) AS result FROM system.tables WHERE ${isTable(table)}` });
}

function describe(reader: StatementReader): Rewritten {
  reader.take('TABLE');
  const table = reader.table();
  const columns =
    'name, type, default_kind AS default_type, default_expression, comment, compression_codec AS codec_expression, ' +
    "'' AS ttl_expression";
  return reader.end({ sql: `SELECT ${columns} FROM system.columns WHERE ${isColumnOf(table)} ORDER BY position`, table });
}

function isTable({ database, table }: TableName): string {
  return `database = ${quote(database)} AND name = ${quote(table)}`;
}

function isColumnOf({ database, table }: TableName): string {
  return `database = ${quote(database)} AND table = ${quote(table)}`;
}

/** Reads a statement token by token; what it does not expect, it refuses. */
class StatementReader {
  private next = 0;

  constructor(
    private readonly text: string,
    private readonly tokens: readonly Token[],
    readonly served: ServedTables,
  ) {}

  take(keyword: string): boolean {
    const token = this.tokens[this.next];
    if (token?.kind !== 'word' || token.text !== keyword) return false;
    this.next++;
    return true;
  }

  expect(keyword: string): void {
    if (!this.take(keyword)) throw this.unknown();
  }

  name(): string {
    const name = nameOf(this.tokens[this.next]);
    if (name === undefined) throw this.unknown();
    this.next++;
    return name;
  }

  database(): string {
    const database = this.name();
    if (this.served.databases.has(database)) return database;
    throw refusal('ACCESS_DENIED', `Database '${database.slice(0, 100)}' is not served here`);
  }

  /** `table`, `database.table`, or `table FROM database` where a word for that is given. */
  table(databaseFollows: () => boolean = () => false): TableName {
    let table = this.name();
    let database = this.served.database;
    if (this.tokens[this.next]?.text === '.') {
      this.next++;
      database = table;
      table = this.name();
    } else if (databaseFollows()) {
      database = this.name();
    }
    if (this.tokens[this.next]?.text === '(') {
      throw refusal('ACCESS_DENIED', `Function '${table.slice(0, 100)}' is not available through this read-only interface`);
    }
    checkTable(`${database}.${table}`, this.served);
    return { database, table };
  }

  servedList(): string {
    return quoteAll([...this.served.databases]);
  }

  /** `rows` under the LIKE, WHERE and LIMIT that end the statement. */
  list(likeColumn: string, rows: string): Rewritten {
    let sql = `SELECT * FROM (${rows})`;
    const not = this.take('NOT') ? 'NOT ' : '';
    const like = this.take('LIKE') ? 'LIKE' : this.take('ILIKE') ? 'ILIKE' : undefined;
    if (like !== undefined) sql += ` WHERE ${likeColumn} ${not}${like} ${this.string()}`;
    else if (not !== '') throw this.unknown();
    else if (this.take('WHERE')) sql += ` WHERE (${this.condition()})`;
    if (this.take('LIMIT')) sql += ` LIMIT ${this.count()}`;
    return this.end({ sql });
  }

  end<R extends Rewritten>(rewritten: R): R {
    if (this.next < this.tokens.length) throw this.unknown();
    return rewritten;
  }

  unknown(): Error {
    const near = this.tokens[this.next]?.text ?? 'the end';
    return refusal(
      'READONLY',
      `This form of the statement is not answered here (at ${near.slice(0, 60)}); ask the tables of system`,
    );
  }

  private string(): string {
    const token = this.tokens[this.next++];
    if (token?.kind !== 'string') throw this.unknown();
    return token.text;
  }

  private count(): string {
    const token = this.tokens[this.next++];
    if (token === undefined || !/^\d{1,9}$/.test(token.text)) throw this.unknown();
    return token.text;
  }

  /** Everything up to a LIMIT outside of brackets. */
  private condition(): string {
    const from = this.next;
    while (this.next < this.tokens.length) {
      const token = this.tokens[this.next]!;
      if (token.kind === 'word' && token.text === 'LIMIT') break;
      this.next = token.text === '(' || token.text === '[' ? closing(this.tokens, this.next) + 1 : this.next + 1;
    }
    if (from === this.next) throw this.unknown();
    return this.text.slice(this.tokens[from]!.at, this.tokens[this.next]?.at ?? this.text.length);
  }
}
