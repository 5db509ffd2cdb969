import { hostname } from 'node:os';
import type { Config } from './config.js';

const wildcards = new Set(['0.0.0.0', '::', '']);

/** Whether a host stands for every address of the machine: good to listen on, and nothing that can be called. */
export function isEveryAddress(host: string): boolean {
  return wildcards.has(host);
}

/** `host:port` as a caller may have written it; anything else is not put into a link. */
const written = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i;

/**
 * Where people find the page, without a slash at the end: the public address; without one, under the name by which the
 * asker reached this service; without an asker, under the name of the host that it listens on. Never under an address that
 * only a listener has.
 */
export function pageOrigin(config: Pick<Config, 'host' | 'publicUrl'>, httpPort: number, askedHost?: string): string {
  if (config.publicUrl !== undefined) return config.publicUrl;
  const asked = written.exec(askedHost ?? '')?.[1];
  const own = isEveryAddress(config.host) ? hostname() : config.host;
  const name = asked === undefined || isEveryAddress(asked.replace(/^\[(.*)\]$/, '$1')) ? own : asked;
  return `http://${name.includes(':') && !name.startsWith('[') ? `[${name}]` : name}:${httpPort}`;
}
