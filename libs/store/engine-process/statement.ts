import type { IncomingMessage } from 'node:http';
import { classNames, type ClassName } from './classes.js';
import { EngineError } from './engine-error.js';

/** One request of ClickHouse's HTTP interface, as far as it is spoken here. */
export interface Statement {
  readonly sql: string;
  readonly className: ClassName;
  readonly format: string;
  readonly database: string | undefined;
  readonly settings: Readonly<Record<string, string>>;
  /** As ClickHouse takes them over HTTP: text, escaped as in tab-separated values. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The answer goes out while it is made. */
  readonly inParts: boolean;
}

/** Larger than any batch of rows; checked while it is read. */
const maxBodyBytes = 64 * 1024 ** 2;

/** Parameters of the interface that are no settings of the engine. */
const notSettings = new Set(
  (
    'query database default_format user password quota_key role session_id session_timeout session_check query_id ' +
    'wait_end_of_query buffer_size compress decompress enable_http_compression client_protocol_version'
  ).split(' '),
);
const settingName = /^[a-z][a-z0-9_]*$/;
const parameterName = /^[A-Za-z_][A-Za-z0-9_]*$/;

export async function readStatement(request: IncomingMessage, url: URL): Promise<Statement> {
  const query = url.searchParams;
  const body = request.method === 'POST' ? await readBody(request) : '';
  const settings: Record<string, string> = {};
  const parameters: Record<string, string> = {};
  for (const [name, value] of query) {
    if (name.startsWith('param_')) parameters[known(name.slice('param_'.length), parameterName)] = value;
    else if (!notSettings.has(name)) settings[known(name, settingName)] = value;
  }
  return {
    sql: [query.get('query') ?? '', body].filter((part) => part !== '').join('\n'),
    className: readClass(request),
    format: query.get('default_format') ?? 'TabSeparated',
    database: query.get('database') ?? undefined,
    settings,
    parameters,
    inParts: query.get('wait_end_of_query') === '0',
  };
}

function known(name: string, pattern: RegExp): string {
  if (!pattern.test(name)) throw new EngineError(115, `Unknown setting '${name.slice(0, 100)}'`, 'UNKNOWN_SETTING');
  return name;
}

function readClass(request: IncomingMessage): ClassName {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const user = Buffer.from(basic, 'base64').toString('utf8').split(':')[0];
  const name = classNames.find((candidate) => candidate === user);
  if (name === undefined) throw new EngineError(516, 'There is no such user', 'AUTHENTICATION_FAILED');
  return name;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > maxBodyBytes) throw new EngineError(311, `A request may have ${maxBodyBytes} bytes`, 'QUERY_IS_TOO_LARGE');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}
