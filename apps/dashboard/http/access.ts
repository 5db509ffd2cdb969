import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { StagewatchError } from '#runtime/errors.js';
import type { Config } from '#runtime/config.js';

export const tokenCookie = 'stagewatch_token';

/** Open without a token: what an orchestrator asks, which says nothing about runs. */
const openPaths = new Set(['/healthz', '/readyz']);

/** Who may ask, for HTTP requests and for the handshake of a socket alike. */
export class Access {
  private readonly digest: Buffer | undefined;
  private readonly loopback: boolean;

  constructor(config: Pick<Config, 'host' | 'token'>) {
    this.digest = config.token === undefined ? undefined : sha256(config.token);
    this.loopback = isLoopback(config.host);
    if (!this.loopback && this.digest === undefined) {
      throw new StagewatchError(
        'INVALID_ARGUMENT',
        'On any address other than loopback the page needs a token (STAGEWATCH_TOKEN).',
        {
          field: 'STAGEWATCH_HOST',
          value: config.host,
          expected: '127.0.0.1, ::1 or localhost; or a token',
        },
      );
    }
  }

  get needsToken(): boolean {
    return this.digest !== undefined;
  }

  /** Throws unless the request comes from where it may come from and carries the token. */
  check(request: IncomingMessage): void {
    this.checkHost(request);
    checkOrigin(request);
    if (this.digest === undefined || openPaths.has(pathOf(request))) return;
    const given = bearer(request) ?? cookie(request, tokenCookie);
    if (given === undefined || !this.isToken(given)) {
      throw new StagewatchError('UNAUTHENTICATED', 'This service asks for its token.', {
        field: 'authorization',
        expected: 'Authorization: Bearer TOKEN; in a browser open the page once as /?token=TOKEN',
      });
    }
  }

  isToken(given: string): boolean {
    return this.digest !== undefined && timingSafeEqual(sha256(given), this.digest);
  }

  /** A page of the world whose name was pointed at loopback (DNS rebinding) shows itself by its Host header. */
  private checkHost(request: IncomingMessage): void {
    if (!this.loopback) return;
    const name = hostName(request.headers.host ?? '');
    if (isLoopback(name)) return;
    throw new StagewatchError('FORBIDDEN', 'Bound to loopback, the service answers to loopback names only.', {
      field: 'Host',
      value: name.slice(0, 120),
      expected: 'localhost, 127.0.0.1 or [::1]',
    });
  }
}

/** Another site's page may not change anything here, nor open a socket. */
function checkOrigin(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  const changes = !['GET', 'HEAD', 'OPTIONS'].includes(request.method ?? 'GET');
  const foreign = origin !== undefined && !sameHost(origin, host);
  const crossSite = request.headers['sec-fetch-site'] === 'cross-site' && (changes || request.headers.upgrade !== undefined);
  if (!foreign && !crossSite) return;
  throw new StagewatchError('FORBIDDEN', 'Only pages of this service may ask.', {
    field: 'Origin',
    value: (origin ?? 'cross-site').slice(0, 120),
    expected: `the address of this service`,
  });
}

function sameHost(origin: string, host: string | undefined): boolean {
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

function isLoopback(name: string): boolean {
  if (name === 'localhost' || name === '::1') return true;
  return isIP(name) === 4 && name.startsWith('127.');
}

/** `[::1]:7580` → `::1`, `localhost:7580` → `localhost`. */
function hostName(host: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(host);
  return (bracketed?.[1] ?? host.replace(/:\d+$/, '')).toLowerCase();
}

export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function bearer(request: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

function cookie(request: IncomingMessage, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key, ...value] = part.trim().split('=');
    if (key !== name) continue;
    try {
      return decodeURIComponent(value.join('='));
    } catch {
      return undefined;
    }
  }
  return undefined;
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
