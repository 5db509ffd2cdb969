import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** So many secrets of one run count: an answer that was lost on its way may be asked for again. */
const maxSecrets = 4;
const secretBytes = 32;

export const makeSecret = (): string => randomBytes(secretBytes).toString('base64url');

/** Whether a secret is one of those whose digests are kept; how long it takes says nothing about them. */
export function isOneOf(digests: readonly string[], secret: string): boolean {
  const given = digestOf(secret);
  let found = false;
  for (const digest of digests) found = timingSafeEqual(given, Buffer.from(digest, 'base64url')) || found;
  return found;
}

/** Digests of the newest secrets of a run, with one more. */
export function withSecret(digests: readonly string[], secret: string): readonly string[] {
  return [digestOf(secret).toString('base64url'), ...digests].slice(0, maxSecrets);
}

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
