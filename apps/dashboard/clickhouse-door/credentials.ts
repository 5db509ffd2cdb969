import type { IncomingMessage } from 'node:http';

/**
 * ClickHouse's clients send a user and a password: by Basic authentication or in headers of their own. The password is
 * the token, the user's name is not looked at, and no password is no token.
 */
export function acceptClickHouseCredentials(request: IncomingMessage): void {
  const password = fromHeaders(request) ?? fromBasic(request.headers.authorization);
  if (password !== undefined && password !== '') request.headers.authorization = `Bearer ${password}`;
}

function fromHeaders(request: IncomingMessage): string | undefined {
  const key = request.headers['x-clickhouse-key'];
  return Array.isArray(key) ? key[0] : key;
}

function fromBasic(header: string | undefined): string | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : text.slice(colon + 1);
}
