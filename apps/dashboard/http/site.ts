import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { StagewatchError } from '#runtime/errors.js';
import type { Config } from '#runtime/config.js';

/**
 * Whether a request comes from where it may come from: to one of our names, and not from a page of somebody else. Tools
 * say nothing of a site and are answered; a browser always says it.
 */
export class Site {
  private readonly loopback: boolean;
  private readonly names: ReadonlySet<string>;
  private readonly publicUrl: string | undefined;

  constructor({ host, publicUrl }: Pick<Config, 'host' | 'publicUrl'>) {
    this.loopback = isLoopback(host);
    this.publicUrl = publicUrl;
    this.names = new Set([host.toLowerCase(), ...(publicUrl === undefined ? [] : [hostName(new URL(publicUrl).host)])]);
  }

  check(request: IncomingMessage): void {
    this.checkName(request);
    this.checkOrigin(request);
  }

  /** Throws unless the request names this service. A page of the world whose name was pointed at this machine (DNS rebinding) shows itself by its Host header. */
  checkName(request: IncomingMessage): void {
    const name = hostName(request.headers.host ?? '');
    if (isLoopback(name) || this.names.has(name)) return;
    // Only a name of the world can be pointed elsewhere: it has a dot in it, and is no address.
    if (!this.loopback && name !== '' && (isIP(name) !== 0 || !name.includes('.'))) return;
    throw new StagewatchError('FORBIDDEN', 'The service does not answer to this name.', {
      field: 'Host',
      value: name.slice(0, 120),
      expected: 'a loopback name, the host that the service listens on, or that of STAGEWATCH_PUBLIC_URL',
    });
  }

  /** Another site's page may not ask anything here, nor open a socket: what it asks for may cost, and its answer may tell. */
  private checkOrigin(request: IncomingMessage): void {
    const { origin, host } = request.headers;
    const site = request.headers['sec-fetch-site'];
    const foreign = origin !== undefined && origin !== this.publicUrl && !isSameHost(origin, host);
    const otherSite = site !== undefined && site !== 'same-origin' && site !== 'none';
    if (!foreign && !otherSite) return;
    throw new StagewatchError('FORBIDDEN', 'Only pages of this service may ask.', {
      field: foreign ? 'Origin' : 'Sec-Fetch-Site',
      value: String(foreign ? origin : site).slice(0, 120),
      expected: 'the address of this service',
    });
  }
}

/** Somebody followed a link to this service: a new document in a window of its own, not a part of a foreign page. */
export function isFollowedLink({ method, headers }: IncomingMessage): boolean {
  if (method !== 'GET' || headers.origin !== undefined) return false;
  const site = headers['sec-fetch-site'];
  const isForeign = site === 'cross-site' || site === 'same-site';
  return isForeign && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
}

function isSameHost(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}

export function isLoopback(name: string): boolean {
  if (name === 'localhost' || name === '::1') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

/** `[::1]:7580` → `::1`, `localhost:7580` → `localhost`. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}
