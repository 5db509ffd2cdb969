import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { StagewatchError } from '#runtime/errors.js';
import type { Config } from '#runtime/config.js';
import type { Sessions } from './sessions.js';
import { isLoopback, Site } from './site.js';

/** Open without a token: what an orchestrator asks, which says nothing about runs. */
const openPaths = new Set(['/healthz', '/readyz']);

/** Who may ask, for HTTP requests and for the handshake of a socket alike. */
export class Access {
  private readonly digest: Buffer | undefined;
  private readonly site: Site;

  /** Without `sessions` there is the token alone: a cookie is sent to every port of a host, and not every door knows browsers. */
  constructor(
    config: Pick<Config, 'host' | 'token' | 'publicUrl'>,
    readonly sessions?: Sessions,
  ) {
    this.digest = config.token === undefined ? undefined : sha256(config.token);
    this.site = new Site(config);
    if (isLoopback(config.host) || this.digest !== undefined) return;
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

  get needsToken(): boolean {
    return this.digest !== undefined;
  }

  /** Throws unless the request comes from where it may come from and belongs to somebody who may ask. */
  check(request: IncomingMessage): void {
    this.checkSite(request);
    this.checkCaller(request);
  }

  checkSite(request: IncomingMessage): void {
    this.site.check(request);
  }

  checkName(request: IncomingMessage): void {
    this.site.checkName(request);
  }

  checkCaller(request: IncomingMessage): void {
    if (this.digest === undefined || openPaths.has(pathOf(request))) return;
    const given = bearer(request);
    if (given === undefined ? this.sessions?.of(request) !== undefined : this.isToken(given)) return;
    throw new StagewatchError('UNAUTHENTICATED', 'This service asks for its token.', {
      field: 'authorization',
      expected: 'Authorization: Bearer TOKEN; in a browser open the page once as /?token=TOKEN',
    });
  }

  isToken(given: string): boolean {
    return this.digest !== undefined && timingSafeEqual(sha256(given), this.digest);
  }
}

export function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function bearer(request: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** Digests have one length, so that comparing takes one time. */
function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
