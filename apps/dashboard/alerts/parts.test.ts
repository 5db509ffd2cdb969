import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { checkedAddresses, isPublicAddress } from './address-guard.js';
import { globMatches } from './glob.js';
import { nextDelayMs, retryDelaysMs } from './schedule.js';
import { signedHeaders } from './signature.js';
import { createWebhook, retryAfterMs } from './webhook.js';

describe('address guard', () => {
  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:8.8.8.8',
    '::ffff:127.0.0.1',
    '64:ff9b::7f00:1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'ff02::1',
    '2001:db8::1',
    '2001::1',
    '2002:7f00:1::',
    'no address',
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.0.1',
    '172.32.0.1',
    '193.0.0.1',
    '2606:4700::1111',
    '2a00::1',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test('a name without an address is no permission', async () => {
    await expect(checkedAddresses('nobody.example', true, () => Promise.resolve([]))).rejects.toThrow('no address');
  });
});

test.each([
  ['*', 'anything', true],
  ['*', '', true],
  ['', '', true],
  ['', 'a', false],
  ['demo/*', 'demo/digits', true],
  ['demo/*', 'other/digits', false],
  ['*-lr?', 'mlp-lr1', true],
  ['*-lr?', 'mlp-lr10', false],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'a-b-b', false],
  ['a.c', 'abc', false],
  ['(x+', '(x+', true],
  ['*a*a*a*a*a*a*a*a*a*a*b', 'a'.repeat(5000), false],
])('glob %s on %s: %s', (pattern, text, matches) => {
  expect(globMatches(pattern, text)).toBe(matches);
});

test('schedule - waits grow to a quarter of an hour, and are never shorter than asked', () => {
  const fixed = () => 0;
  expect(retryDelaysMs.map((_, i) => nextDelayMs(i + 1, 0, fixed))).toEqual([...retryDelaysMs]);
  expect(retryDelaysMs.toSorted((a, b) => a - b)).toEqual([...retryDelaysMs]);
  expect(nextDelayMs(100, 0, fixed)).toBe(15 * 60_000);
  expect(nextDelayMs(1, 60_000, fixed)).toBe(60_000);
  expect(nextDelayMs(1, 0, () => 1)).toBe(5500);
});

test('Retry-After - seconds, a date, nonsense, and a limit', () => {
  const now = Date.parse('2026-01-01T00:00:00Z');
  expect(retryAfterMs('120', now)).toBe(120_000);
  expect(retryAfterMs('Thu, 01 Jan 2026 00:01:00 GMT', now)).toBe(60_000);
  expect(retryAfterMs('Thu, 01 Jan 2025 00:00:00 GMT', now)).toBe(0);
  expect(retryAfterMs('soon', now)).toBeUndefined();
  expect(retryAfterMs(undefined, now)).toBeUndefined();
  expect(retryAfterMs('99999999', now)).toBe(24 * 3_600_000);
});

test('signature - the example that Standard Webhooks publishes', () => {
  const headers = signedHeaders(
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    '{"test": 2432232314}',
    'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    1614265330_000,
  );
  expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

describe('webhook', () => {
  const server = (answer: RequestListener) =>
    new Promise<{ url: string; close: () => void }>((resolve) => {
      const made = createServer(answer);
      made.listen(0, '127.0.0.1', () => {
        const close = (): void => {
          made.close();
          made.closeAllConnections();
        };
        resolve({ url: `http://127.0.0.1:${(made.address() as AddressInfo).port}/`, close });
      });
    });
  const request = (url: string) => ({ url, headers: {}, body: '{}', signal: new AbortController().signal });

  test('a receiver that says nothing is given up', async () => {
    const silent = await server(() => undefined);
    const result = await createWebhook({ allowPrivate: true, timeoutMs: 150 })(request(silent.url));
    expect(result).toMatchObject({ kind: 'retryable', error: { message: 'no answer in time' } });
    silent.close();
  });

  test('a name look-up that never ends is given up', async () => {
    const send = createWebhook({ allowPrivate: true, timeoutMs: 50, resolve: () => new Promise(() => {}) });
    expect(await send(request('http://slow.example/'))).toMatchObject({
      kind: 'retryable',
      error: { message: 'no answer in time' },
    });
  });

  test('an answer without end is not read to its end', async () => {
    let sent = 0;
    const chunk = Buffer.alloc(64 * 1024);
    const endless = await server((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', more);
      more();
    });
    const result = await createWebhook({ allowPrivate: true })(request(endless.url));
    expect(result).toMatchObject({ kind: 'success', status: 200 });
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    endless.close();
  });
});
