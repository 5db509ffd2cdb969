import { quote, quoteAll } from '../quote.js';
import { FunctionRules } from './functions.js';
import { engineError, refusal } from './refusal.js';
import type { ServedTables } from './served.js';
import { SettingsRules } from './settings.js';
import { describedQuery, rewriteStatement, type TableName } from './statements.js';
import { checkTree } from './syntax-tree.js';
import { nameOf, settingsClauses, tokenize, type Token } from './tokens.js';
import { readTransformers } from './transformers.js';

const maxQueryBytes = 256 * 1024;

export type BoundValue = string | null;

/** Asks the engine something, as a reader; the answer is text without escapes (TSVRaw). */
export type AskEngine = (sql: string, parameters: Readonly<Record<string, BoundValue>>) => Promise<string>;

export interface GateRequest {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, BoundValue>>;
  readonly settings: Readonly<Record<string, string>>;
  readonly format: string;
  readonly maxSeconds: number;
  readonly database: string;
}

/** A query that may run: its text is made anew from the engine's own reading of it. */
export interface PassedQuery {
  readonly sql: string;
  readonly format: string;
  /** The engine hands out only the results of these in parts. */
  readonly isSelect: boolean;
}

/**
 * Lets one statement through that only reads, and only what it may read. Allowed is what is known: kinds of nodes,
 * functions, settings, tables; whatever cannot be named is refused.
 */
export class Gate {
  private constructor(
    private readonly askEngine: AskEngine,
    private readonly settings: SettingsRules,
    private readonly functions: FunctionRules,
    private readonly tableFunctions: ReadonlySet<string>,
    private readonly formats: ReadonlySet<string>,
    private readonly databases: ReadonlySet<string>,
  ) {}

  static async open(askEngine: AskEngine, database: string): Promise<Gate> {
    const names = async (sql: string): Promise<readonly string[]> =>
      (await askEngine(sql, {})).split('\n').filter((line) => line !== '');
    const [settings, functions, tableFunctions, formats] = await Promise.all([
      names('SELECT name FROM system.settings'),
      FunctionRules.load(askEngine),
      names('SELECT lower(name) FROM system.table_functions'),
      names('SELECT name FROM system.formats WHERE is_output'),
    ]);
    return new Gate(
      askEngine,
      new SettingsRules(new Set(settings)),
      functions,
      new Set(tableFunctions),
      new Set(formats),
      new Set([database, 'system', 'information_schema', 'INFORMATION_SCHEMA']),
    );
  }

  async pass(request: GateRequest): Promise<PassedQuery> {
    if (Buffer.byteLength(request.sql) > maxQueryBytes) {
      throw refusal('QUERY_IS_TOO_LARGE', `A query may have ${maxQueryBytes} bytes`);
    }
    if (request.sql.includes('\0')) throw refusal('BAD_ARGUMENTS', 'A query may not contain NUL');
    if (!this.databases.has(request.database)) {
      throw refusal('ACCESS_DENIED', `Database '${request.database.slice(0, 100)}' is not served here`);
    }
    const text = await this.format(request.sql);
    const { body, format, settings } = cutOutput(text, tokenize(text));
    const asked = format ?? request.format;
    if (!this.formats.has(asked)) throw refusal('UNKNOWN_FORMAT', `Unknown format ${asked.slice(0, 100)}`);
    const query = await this.readable(body, request);
    const list = this.settings.render({ ...request.settings, ...settings }, request.maxSeconds);
    return { sql: `${query.sql} FORMAT ${asked} SETTINGS ${list}`, format: asked, isSelect: query.isSelect };
  }

  /** The statement as a query that was looked at from all sides. */
  private async readable(body: string, request: GateRequest): Promise<{ readonly sql: string; readonly isSelect: boolean }> {
    const tokens = tokenize(body);
    const served: ServedTables = { databases: this.databases, database: request.database };
    const described = describedQuery(body, tokens);
    if (described !== undefined) {
      const inner = await this.format(described);
      await this.check(inner, request);
      return { sql: `DESCRIBE TABLE (${inner})`, isSelect: false };
    }
    const rewritten = rewriteStatement(body, tokens, served);
    if (rewritten?.table !== undefined) await this.checkExists(rewritten.table);
    const sql = rewritten === undefined ? body : await this.format(rewritten.sql);
    const tree = await this.check(sql, request);
    return { sql, isSelect: tree.startsWith('Select') };
  }

  /** Throws unless the query only reads; its syntax tree. */
  private async check(text: string, request: GateRequest): Promise<string> {
    const tokens = tokenize(text);
    this.checkTokens(tokens);
    for (const clause of settingsClauses(tokens)) {
      for (const { name, value } of clause.settings) this.settings.checkInside(name, value, request.maxSeconds);
    }
    const { count, hidden } = readTransformers(text, tokens, this.functions);
    const rules = {
      tableFunctions: this.tableFunctions,
      functions: this.functions,
      databases: this.databases,
      database: request.database,
    };
    const tree = await this.ask(`EXPLAIN AST ${text}`, request.parameters);
    const checked = [checkTree(tree, rules)];
    for (const part of hidden) checked.push(checkTree(await this.ask(`EXPLAIN AST ${part}`, request.parameters), rules));
    const hiddenParts = checked.reduce((sum, one) => sum + one.hiddenParts, 0);
    // Had the tree hidden something that was not found in the text, it would have gone unseen.
    if (hiddenParts !== count) throw refusal('ACCESS_DENIED', 'The APPLY of this query cannot be read; write it without');
    await this.checkNoDatabase(checked.flatMap((one) => one.ambiguous));
    return tree;
  }

  /** A server may have databases beside ours; what stands before the dot on the right of IN must be none of them. */
  private async checkNoDatabase(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const found = await this.ask(`SELECT name FROM system.databases WHERE name IN (${quoteAll(names)}) LIMIT 1`, {});
    if (found.trim() !== '') throw refusal('ACCESS_DENIED', `Database '${found.trim().slice(0, 100)}' is not served here`);
  }

  /** The second look, at the text alone: names that may not be called, wherever they stand as a call. */
  private checkTokens(tokens: readonly Token[]): void {
    for (const [i, token] of tokens.entries()) {
      if (token.kind === 'word' && token.text.toUpperCase() === 'OUTFILE') {
        throw refusal('READONLY', 'INTO OUTFILE is not available through this read-only interface');
      }
      // A line break in a name would be read as a line of the tree.
      if (token.kind === 'quoted' && /\\[^\\`"']/.test(token.text)) {
        throw refusal('BAD_ARGUMENTS', 'A name may not contain control characters');
      }
      const name = tokens[i + 1]?.text === '(' ? nameOf(token) : undefined;
      if (name !== undefined && this.functions.refuses(name)) {
        throw refusal('ACCESS_DENIED', `Function '${name.slice(0, 100)}' is not available through this read-only interface`);
      }
    }
  }

  private async checkExists({ database, table }: TableName): Promise<void> {
    const where = `database = ${quote(database)} AND name = ${quote(table)}`;
    if ((await this.ask(`SELECT count() FROM system.tables WHERE ${where}`, {})).trim() !== '0') return;
    throw refusal('UNKNOWN_TABLE', `Table ${database}.${table.slice(0, 100)} does not exist`);
  }

  /** The statement as the engine understood it: one, and without comments. */
  private async format(sql: string): Promise<string> {
    return (await this.ask('SELECT formatQuerySingleLine({q:String})', { q: sql })).replace(/\n$/, '');
  }

  private async ask(sql: string, parameters: Readonly<Record<string, BoundValue>>): Promise<string> {
    try {
      return await this.askEngine(sql, parameters);
    } catch (error) {
      throw engineError(error);
    }
  }
}

/** Takes `FORMAT x` and the settings behind it off the end of a query. */
function cutOutput(
  text: string,
  tokens: readonly Token[],
): { readonly body: string; readonly format?: string; readonly settings: Readonly<Record<string, string>> } {
  let depth = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.kind === 'other' && /[([{]/.test(token.text)) depth++;
    if (token.kind === 'other' && /[)\]}]/.test(token.text)) depth--;
    // The formatter quotes `Null`.
    const format = nameOf(tokens[i + 1]);
    if (depth > 0 || token.text !== 'FORMAT' || format === undefined) continue;
    const behind = tokens.slice(i + 2);
    const clause = settingsClauses(behind)[0];
    if (behind.length > 0 && (clause === undefined || behind[0]?.at !== clause.at)) continue;
    const settings = (clause?.settings ?? []).map(({ name, value }) => [name, unquote(value)] as const);
    return { body: text.slice(0, token.at).trimEnd(), format, settings: Object.fromEntries(settings) };
  }
  return { body: text, settings: {} };
}

function unquote(value: string): string {
  if (!value.startsWith("'")) return value;
  return value.slice(1, -1).replaceAll(/\\(.)/gs, '$1');
}
