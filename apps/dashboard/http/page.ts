import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { packageRoot } from '#runtime/package-root.js';
import { pathOf, type Access } from './access.js';
import { sendText } from './send.js';
import { isFollowedLink } from './site.js';

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

/**
 * Holds nothing, and asks for the same address anew, now as a page of this service: the browser then sends its session,
 * which it keeps from other sites' links.
 */
const onward = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>Stagewatch</title>\n';

/** Refuses what comes from other sites, but for people who follow a link to the page. */
export function siteDoor(access: Access): Handler {
  return (request, response, next) => {
    if (!isFollowedLink(request) || !pagePath.test(pathOf(request))) {
      access.checkSite(request);
      return next();
    }
    access.checkName(request);
    sendText(response, 200, onward, 'text/html; charset=utf-8');
  };
}

/** `/?token=…` opens the page once; from then on a session of the browser's own does. */
export function tokenDoor(access: Access): Handler {
  return (request, response, next) => {
    const path = pathOf(request);
    if (!access.needsToken || request.method !== 'GET' || !pagePath.test(path)) return next();
    const query = new URLSearchParams((request.url ?? '').slice(path.length));
    const token = query.get('token');
    if (token === null || !access.isToken(token)) return next();
    query.delete('token');
    response.statusCode = 302;
    if (access.sessions !== undefined) response.setHeader('set-cookie', access.sessions.begin());
    response.setHeader('location', query.size === 0 ? path : `${path}?${query.toString()}`);
    response.setHeader('cache-control', 'no-store');
    response.end();
  };
}
