import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { Sessions } from './sessions.js';

const dayMs = 24 * 60 * 60 * 1000;

function asking(setCookie: string): IncomingMessage {
  return { headers: { cookie: `other=1; ${setCookie.split(';')[0]}` } } as IncomingMessage;
}

test('sessions - one ends after a week, and tells', () => {
  let now = 0;
  const sessions = new Sessions(false, () => now);
  const ended: string[] = [];
  sessions.onEnd((session) => ended.push(session));
  const request = asking(sessions.begin());
  const session = sessions.of(request);
  expect(session).toBeDefined();
  now = 6.9 * dayMs;
  expect(sessions.of(request)).toBe(session);
  now = 7.1 * dayMs;
  expect(sessions.of(request)).toBeUndefined();
  expect(ended).toEqual([session]);
  sessions.close();
});

test('sessions - a guess, an empty cookie and a forgotten one open nothing', () => {
  const sessions = new Sessions(true);
  sessions.begin();
  expect(sessions.of(asking('stagewatch_session=guess'))).toBeUndefined();
  expect(sessions.of(asking(sessions.forget()))).toBeUndefined();
  expect(sessions.forget()).toContain('Max-Age=0');
  sessions.close();
});

test('sessions - their number is bounded; the oldest goes', () => {
  const sessions = new Sessions(false);
  const first = asking(sessions.begin());
  const second = asking(sessions.begin());
  for (let i = 0; i < 999; i++) sessions.begin();
  expect(sessions.of(first)).toBeUndefined();
  expect(sessions.of(second)).toBeDefined();
  sessions.close();
});
