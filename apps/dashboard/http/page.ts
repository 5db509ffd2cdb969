import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { pathOf, tokenCookie, type Access } from './access.js';
import { sendText } from './send.js';

export const builtPageDir = join(packageRoot, 'dist/apps/dashboard/page');

/** Addresses that the page itself makes sense of. */
const pagePath = /^\/(?:runs\/[^/]+|alerts)?\/?$/;

type Next = (error?: unknown) => void;
type Handler = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

/** Nothing is loaded from elsewhere, and nobody frames the page. */
const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

export function securityHeaders(): Handler {
  return (_, response, next) => {
    for (const [name, value] of Object.entries(pageHeaders)) response.setHeader(name, value);
    next();
  };
}

/** Answers the page's own addresses with its one document. */
export function pageDocument(pageDir: string): Handler {
  return (request, response, next) => {
    if (request.method !== 'GET' || !pagePath.test(pathOf(request))) return next();
    const document = join(pageDir, 'index.html');
    if (!existsSync(document)) {
      return sendText(response, 503, 'The page is not built: npm run build:page\n');
    }
    readFile(document, 'utf8').then((html) => sendText(response, 200, html, 'text/html; charset=utf-8'), next);
  };
}

/** `/?token=…` opens the page once; from then on a cookie carries the token. */
export function tokenDoor(access: Access): Handler {
  return (request, response, next) => {
    const path = pathOf(request);
    if (!access.needsToken || request.method !== 'GET' || !pagePath.test(path)) return next();
    const query = new URLSearchParams((request.url ?? '').slice(path.length));
    const token = query.get('token');
    if (token === null || !access.isToken(token)) return next();
    query.delete('token');
    response.statusCode = 302;
    response.setHeader('set-cookie', `${tokenCookie}=${encodeURIComponent(token)}; Path=/; HttpOnly; SameSite=Strict`);
    response.setHeader('location', query.size === 0 ? path : `${path}?${query.toString()}`);
    response.setHeader('cache-control', 'no-store');
    response.end();
  };
}
