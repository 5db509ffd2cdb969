import { readConfig } from '#runtime/config.js';
import type { OptionSpec } from './command.js';

/** Flags of the commands that ask a running service. */
export const clientOptions = {
  url: { type: 'string', value: 'URL', help: 'Address of the service (STAGEWATCH_URL; default http://127.0.0.1:7580).' },
  json: { type: 'boolean', help: 'Print JSON.' },
} as const satisfies Record<string, OptionSpec>;

/** Asks a running service over HTTP; an error says what to do. */
export class ServiceClient {
  private readonly base: string;
  private readonly headers: Record<string, string>;

  constructor(url: string | undefined) {
    const config = readConfig();
    this.base = (url ?? config.url).replace(/\/+$/, '');
    this.headers = config.token === undefined ? {} : { authorization: `Bearer ${config.token}` };
  }

  async get<T>(path: string): Promise<T> {
    return (await (await this.fetch(path)).json()) as T;
  }

  async fetch(
    path: string,
    init: Omit<RequestInit, 'headers'> & { readonly headers?: Record<string, string> } = {},
  ): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.base + path, { ...init, headers: { ...this.headers, ...init.headers } });
    } catch (error) {
      throw new Error(`no service answers at ${this.base}; start one with 'stagewatch up', or name another with --url`, {
        cause: error,
      });
    }
    if (!response.ok) throw new Error(await refusal(response));
    return response;
  }
}

async function refusal(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const body = JSON.parse(text) as { code?: string; message?: string };
    if (body.message !== undefined) return `${body.message} (${body.code ?? response.status})`;
  } catch {
    // Not ours: shown as it is.
  }
  return `HTTP ${response.status}: ${text.slice(0, 500)}`;
}
