import { randomBytes } from 'node:crypto';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** Sortable by time, 80 random bits, safe in a path, a URL and a bus subject: `r` + 10 + 16 characters for a run. */
export function newId(prefix: string, nowMs: number = Date.now()): string {
  let time = '';
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = alphabet[rest % 32]! + time;
  const random = Array.from(randomBytes(16), (byte) => alphabet[byte % 32]!).join('');
  return prefix + time + random;
}

export const runIdPattern = /^r[0-9a-hjkmnp-tv-z]{26}$/;
