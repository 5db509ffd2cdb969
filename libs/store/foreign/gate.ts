import { engineError, refusal } from './refusal.js';
import { SettingsRules } from './settings.js';
import { checkTree } from './syntax-tree.js';
import { settingsClauses, tokenize, type Token } from './tokens.js';

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

/** Lets one statement through that only reads, and only what it may read. */
export class Gate {
  private constructor(
    private readonly askEngine: AskEngine,
    private readonly settings: SettingsRules,
    private readonly tableFunctions: ReadonlySet<string>,
    private readonly formats: ReadonlySet<string>,
    private readonly databases: ReadonlySet<string>,
  ) {}

  static async open(askEngine: AskEngine, database: string): Promise<Gate> {
    const names = async (sql: string): Promise<readonly string[]> =>
      (await askEngine(sql, {})).split('\n').filter((line) => line !== '');
    return new Gate(
      askEngine,
      new SettingsRules(new Set(await names('SELECT name FROM system.settings'))),
      new Set(await names('SELECT lower(name) FROM system.table_functions')),
      new Set(await names('SELECT name FROM system.formats WHERE is_output')),
      new Set([database, 'system', 'information_schema', 'INFORMATION_SCHEMA']),
    );
  }

  async pass(request: GateRequest): Promise<PassedQuery> {
    const { parameters, maxSeconds } = request;
    if (Buffer.byteLength(request.sql) > maxQueryBytes) {
      throw refusal('QUERY_IS_TOO_LARGE', `A query may have ${maxQueryBytes} bytes`);
    }
    if (request.sql.includes('\0')) throw refusal('BAD_ARGUMENTS', 'A query may not contain NUL');
    if (!this.databases.has(request.database)) {
      throw refusal('ACCESS_DENIED', `Database '${request.database.slice(0, 100)}' is not served here`);
    }
    const text = (await this.ask('SELECT formatQuerySingleLine({q:String})', { q: request.sql })).replace(/\n$/, '');
    const tokens = tokenize(text);
    checkWords(tokens);
    for (const clause of settingsClauses(tokens)) {
      for (const { name, value } of clause.settings) this.settings.checkInside(name, value, maxSeconds);
    }
    const tree = await this.ask(`EXPLAIN AST ${text}`, parameters);
    checkTree(tree, {
      tableFunctions: this.tableFunctions,
      databases: this.databases,
      database: request.database,
    });
    const { body, format, settings } = cutOutput(text, tokens);
    const asked = format ?? request.format;
    if (!this.formats.has(asked)) throw refusal('UNKNOWN_FORMAT', `Unknown format ${asked.slice(0, 100)}`);
    const list = this.settings.render({ ...request.settings, ...settings }, maxSeconds);
    return { sql: `${body} FORMAT ${asked} SETTINGS ${list}`, format: asked, isSelect: tree.startsWith('Select') };
  }

  private async ask(sql: string, parameters: Readonly<Record<string, BoundValue>>): Promise<string> {
    try {
      return await this.askEngine(sql, parameters);
    } catch (error) {
      throw engineError(error);
    }
  }
}

/** What the syntax tree does not show. */
function checkWords(tokens: readonly Token[]): void {
  const isSelect = /^(SELECT|WITH|\()$/.test(tokens[0]?.text ?? '');
  for (const token of tokens) {
    if (token.kind === 'word' && token.text.toUpperCase() === 'OUTFILE') {
      throw refusal('READONLY', 'INTO OUTFILE is not available through this read-only interface');
    }
    // `SHOW COLUMNS … FROM default` has no table in its tree; `default` shows the files of this machine as tables.
    if (!isSelect && /^[`"]?default[`"]?$/.test(token.text)) {
      throw refusal('ACCESS_DENIED', "Database 'default' is not served here");
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
    if (depth > 0 || token.text !== 'FORMAT' || tokens[i + 1]?.kind !== 'word') continue;
    const behind = tokens.slice(i + 2);
    const clause = settingsClauses(behind)[0];
    if (behind.length > 0 && (clause === undefined || behind[0]?.at !== clause.at)) continue;
    const settings = (clause?.settings ?? []).map(({ name, value }) => [name, unquote(value)] as const);
    return { body: text.slice(0, token.at).trimEnd(), format: tokens[i + 1]!.text, settings: Object.fromEntries(settings) };
  }
  return { body: text, settings: {} };
}

function unquote(value: string): string {
  if (!value.startsWith("'")) return value;
  return value.slice(1, -1).replaceAll(/\\(.)/gs, '$1');
}
