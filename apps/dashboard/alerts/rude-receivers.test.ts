import { describe, expect, test } from 'vitest';
import { createWebhook } from './webhook.js';
import { rudenesses, startRudeReceiver, type Rudeness } from './testing/rude-receiver.js';

const timeoutMs = 400;
/** Of a busy machine. */
const patienceMs = 10_000;

async function send(url: string): Promise<{ readonly kind: string; readonly status?: number; readonly tookMs: number }> {
  const startedMs = performance.now();
  const webhook = createWebhook({ allowPrivate: true, timeoutMs });
  const result = await webhook({ url, headers: {}, body: '{}', signal: new AbortController().signal });
  return { ...result, tookMs: performance.now() - startedMs };
}

/** What was answered counts, however the answer goes on. */
const answered: Partial<Record<Rudeness, number>> = { 'drips its body': 200, 'answers 500 MB': 200, 'redirects to itself': 307 };

describe('webhook - whatever a receiver does, the delivery is over in time', () => {
  test.each(rudenesses)('a receiver that %s', async (rudeness) => {
    const receiver = await startRudeReceiver(rudeness);
    const result = await send(receiver.url);
    expect(result.tookMs).toBeLessThan(patienceMs);
    expect(result.status).toBe(answered[rudeness]);
    expect(result.kind).toBe(answered[rudeness] === 200 ? 'success' : 'retryable');
    expect(receiver.connections).toBe(1);
    await receiver.close();
  });

  test('a receiver that does not answer the greeting of TLS', async () => {
    const receiver = await startRudeReceiver('never answers');
    expect(await send(receiver.secureUrl)).toMatchObject({ kind: 'retryable' });
    await receiver.close();
  });
});
