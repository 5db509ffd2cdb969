import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { alertsFixture, eventually, finding, inState, secret } from './testing/alerts-fixture.js';
import { signatureIsRight, startReceiver } from './testing/receiver.js';

const fixture = alertsFixture();
const { deliveriesThat, find, restart, rule } = fixture;

describe('alerts - rules', () => {
  test('a deleted or disabled rule sends nothing any more, and its waiting delivery is cancelled', async () => {
    await rule();
    fixture.receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    expect(await fixture.alerts.rules.delete('one')).toBe(true);
    const [delivery] = await deliveriesThat(inState('cancelled', 1));
    expect(delivery!.reason).toContain('deleted');
    fixture.clock.advance(3_600_000);
    await delay(50);
    expect(fixture.receiver.received).toHaveLength(1);
  });

  test('a corrected address gets what waits, at once', async () => {
    const right = await startReceiver();
    fixture.receiver.answers.push((response) => response.writeHead(404).end());
    await rule();
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    await rule({ url: right.url });
    await eventually(
      () => right.received,
      (received) => received.length > 0,
    );
    expect([fixture.receiver.received.length, right.received.length]).toEqual([1, 1]);
    await right.close();
  });

  test.each([
    [{ url: 'ftp://example.org/' }, 'rule.url'],
    [{ url: 'nonsense' }, 'rule.url'],
    [{ url: 'https://user:pass@example.org/' }, 'rule.url'],
    [{ secret: 'whsec_c2hvcnQ=' }, 'rule.secret'],
    [{ secret: 'plain' }, 'rule.secret'],
    [{ name: '' }, 'rule.name'],
    [{ id: 'a/b' }, 'rule.id'],
    [{ minSeverity: 'bad' }, 'rule.minSeverity'],
    [{ throttleSeconds: -1 }, 'rule.throttleSeconds'],
    [{ groupSeconds: '5' }, 'rule.groupSeconds'],
    [{ kinds: 'stage' }, 'rule.kinds'],
  ])('%j is refused with its field', async (fields, field) => {
    await expect(rule(fields)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', detail: { field } });
    expect(await fixture.alerts.rules.list()).toEqual([]);
  });

  test.each([
    [['divergence-risk'], 'divergence_risk'],
    [['stage', 'fail'], 'failed'],
    [['overfitting'], ''],
  ])('a rule for %j is refused, with the nearest kind that is found', async (kinds, nearest) => {
    const refusal = rule({ kinds });
    await expect(refusal).rejects.toMatchObject({ code: 'UNKNOWN_KIND', detail: { field: 'rule.kinds', value: kinds.at(-1) } });
    await expect(refusal).rejects.toThrow(`did you mean '${nearest}`);
    expect(await fixture.alerts.rules.list()).toEqual([]);
  });

  test('a job that failed can be told of', async () => {
    await rule({ kinds: ['failed'], minSeverity: 'critical' });
    await find({ ...finding('a'), kind: 'failed', severity: 'critical', text: 'step 9: the job failed: out of memory' });
    const received = await eventually(
      () => fixture.receiver.received,
      (all) => all.length > 0,
    );
    expect(JSON.stringify(received[0]!.body)).toContain('the job failed: out of memory');
  });

  test('the secret is shown once when it is made, never in a list, and never logged', async () => {
    const made = (await fixture.alerts.rules.put({ name: 'x', url: `${fixture.receiver.url}?token=hidden-in-url` })) as {
      id: string;
      secret: string;
    };
    expect(made.secret).toMatch(/^whsec_/);
    await fixture.alerts.rules.put({
      id: made.id,
      name: 'y',
      url: `${fixture.receiver.url}?token=hidden-in-url`,
      groupSeconds: 0,
    });
    fixture.receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    expect(signatureIsRight(fixture.receiver.received[0]!, made.secret)).toBe(true);
    const bare = made.secret.slice('whsec_'.length);
    expect(JSON.stringify(await fixture.alerts.rules.list())).not.toContain(bare);
    expect(JSON.stringify(await fixture.alerts.deliveries())).not.toContain(bare);
    expect(fixture.logged).toContain('alert delivery tried');
    expect(fixture.logged).not.toContain(bare);
    expect(fixture.logged).not.toContain('hidden-in-url');
    await restart();
    expect((await fixture.alerts.rules.list()).map((view) => view.name)).toEqual(['y']);
  });

  test('a test goes to the receiver once and tells what it said', async () => {
    await rule();
    fixture.receiver.answers.push((response) => response.writeHead(403).end());
    expect(await fixture.alerts.test('one')).toEqual({ delivered: false, status: 403, error: 'the receiver answered 403' });
    expect(await fixture.alerts.test('one')).toEqual({ delivered: true, status: 204 });
    expect(fixture.receiver.received.every((hook) => signatureIsRight(hook, secret))).toBe(true);
    await expect(fixture.alerts.test('none')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await fixture.alerts.deliveries()).toEqual([]);
  });
});
