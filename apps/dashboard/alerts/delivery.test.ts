import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { alertsFixture, eventually, finding, inState, run, secret } from './testing/alerts-fixture.js';
import { triesOf } from './schedule.js';
import { signatureIsRight, startReceiver } from './testing/receiver.js';

const fixture = alertsFixture();
const { deliveriesThat, find, receivedBy, restart, rule, summaries, taken } = fixture;

describe('alerts - delivery', () => {
  test('a finding reaches the receiver of a matching rule, signed, in the shape of Alertmanager', async () => {
    await rule({ kinds: ['divergence_risk'], minSeverity: 'warning', runFilter: 'demo/dig*' });
    await find(
      finding('wanted'),
      finding('other kind', { kind: 'stage' }),
      finding('too mild', { severity: 'info' }),
      finding('other run', { runName: 'mnist' }),
    );
    const [hook] = await receivedBy(1);
    await taken();
    expect(signatureIsRight(hook!, secret)).toBe(true);
    expect(Number(hook!.headers['webhook-timestamp'])).toBe(Math.floor(fixture.clock.nowMs() / 1000));
    expect(hook!.headers['content-type']).toBe('application/json');
    expect(hook!.body).toMatchObject({
      version: '4',
      status: 'firing',
      receiver: 'My rule',
      groupLabels: { run },
      truncatedAlerts: 0,
      externalURL: 'http://127.0.0.1:7580',
      commonLabels: { alertname: 'divergence_risk', run_name: 'digits' },
      alerts: [
        {
          status: 'firing',
          labels: { alertname: 'divergence_risk', severity: 'critical', project: 'demo', run, attempt: '1' },
          annotations: { summary: 'finding wanted', step: '165', onset: '160', evidence: '{"loss":"nan"}' },
          startsAt: new Date(1_790_000_000_000).toISOString(),
          generatorURL: `http://127.0.0.1:7580/runs/${run}`,
        },
      ],
    });
    expect(hook!.body['groupKey']).toContain(run);
    const [delivery] = await deliveriesThat(inState('delivered', 1));
    expect(delivery).toMatchObject({
      rule: 'one',
      run,
      runName: 'digits',
      project: 'demo',
      findings: [{ id: 'wanted', step: 165 }],
    });
    expect(delivery!.id).toBe(hook!.headers['webhook-id']);
    expect(fixture.receiver.received).toHaveLength(1);
  });

  test('a failing receiver is tried again by the schedule, with the same id and body, until it takes it', async () => {
    fixture.receiver.answers.push(
      (response) => response.writeHead(500).end('broken'),
      (response) => response.destroy(),
    );
    await rule();
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    fixture.clock.advance(4_900);
    await delay(50);
    expect(fixture.receiver.received).toHaveLength(1);
    fixture.clock.advance(700);
    await deliveriesThat(inState('pending', 2));
    fixture.clock.advance(33_000);
    const [delivery] = await deliveriesThat(inState('delivered', 3));
    expect(delivery!.tries.map((entry) => [entry.outcome, entry.status])).toEqual([
      ['retry', 500],
      ['retry', undefined],
      ['delivered', 204],
    ]);
    expect(new Set(fixture.receiver.received.map((hook) => hook.headers['webhook-id'])).size).toBe(1);
    expect(new Set(fixture.receiver.received.map((hook) => hook.text)).size).toBe(1);
    expect(new Set(fixture.receiver.received.map((hook) => hook.headers['webhook-timestamp'])).size).toBe(3);
    expect(fixture.receiver.received.every((hook) => signatureIsRight(hook, secret))).toBe(true);
  });

  test('Retry-After is waited for when it is longer than the schedule', async () => {
    fixture.receiver.answers.push((response) => response.writeHead(429, { 'retry-after': '3600' }).end());
    await rule();
    await find(finding('a'));
    const [delivery] = await deliveriesThat(inState('pending', 1));
    expect(delivery!.nextTryMs! - fixture.clock.nowMs()).toBe(3_600_000);
    fixture.clock.advance(3_599_000);
    await delay(50);
    expect(fixture.receiver.received).toHaveLength(1);
    fixture.clock.advance(1_000);
    await receivedBy(2);
  });

  test('after the last try of two days the delivery has failed, and says why', async () => {
    await rule();
    for (let i = 0; i < 300; i++) fixture.receiver.answers.push((response) => response.writeHead(503).end());
    await find(finding('a'));
    let seen = 0;
    for (;;) {
      const [delivery] = await deliveriesThat(([one]) => one !== undefined && triesOf(one) > seen);
      if (delivery!.state !== 'pending') break;
      seen = triesOf(delivery!);
      fixture.clock.advance(delivery!.nextTryMs! - fixture.clock.nowMs());
    }
    const [delivery] = await fixture.alerts.deliveries();
    expect(delivery).toMatchObject({ state: 'failed', tries: { length: 20 } });
    expect(delivery!.reason).toContain('503');
    expect(triesOf(delivery!)).toBe(fixture.receiver.received.length);
    const [first, last] = [delivery!.tries[0]!, delivery!.tries.at(-1)!];
    expect(last.timeMs - first.timeMs).toBeGreaterThan(40 * 3_600_000);
    expect(last.timeMs - first.timeMs).toBeLessThan(50 * 3_600_000);
  });

  test('410 switches the rule off, and the answer is kept', async () => {
    fixture.receiver.answers.push((response) => response.writeHead(410).end());
    await rule();
    await find(finding('a'));
    await deliveriesThat(inState('failed', 1));
    const [disabled] = await eventually(
      () => fixture.alerts.rules.list(),
      ([view]) => view?.enabled === false,
    );
    expect(disabled!.disabledReason).toContain('410');
    await find(finding('b'));
    await taken();
    expect(fixture.receiver.received).toHaveLength(1);
    await rule();
    expect((await fixture.alerts.rules.list())[0]).not.toHaveProperty('disabledReason');
    await find(finding('c'));
    await receivedBy(2);
    expect(summaries(1)).toEqual(['finding c']);
  });

  test('links lead to the public address', async () => {
    const publicUrl = 'https://stagewatch.example/page';
    const ports = { grpc: 1, http: 7580, clickhouse: 1 };
    await restart({ config: { alertsAllowPrivate: true, host: '0.0.0.0', publicUrl, ports } });
    await rule();
    await find(finding('a'));
    const [hook] = await receivedBy(1);
    expect(hook!.body).toMatchObject({ externalURL: publicUrl, alerts: [{ generatorURL: `${publicUrl}/runs/${run}` }] });
  });

  test('a redirect is not followed', async () => {
    const elsewhere = await startReceiver();
    fixture.receiver.answers.push((response) => response.writeHead(307, { location: elsewhere.url }).end());
    await rule();
    await find(finding('a'));
    const [delivery] = await deliveriesThat(inState('pending', 1));
    expect(delivery!.tries[0]).toMatchObject({ outcome: 'retry', status: 307 });
    expect(elsewhere.received).toEqual([]);
    await elsewhere.close();
  });
});

test('alerts - a forgotten run leaves nothing behind', async () => {
  await rule();
  fixture.receiver.answers.push((response) => response.writeHead(500).end());
  await find(finding('a'));
  await deliveriesThat(inState('pending', 1));
  await find(finding('b'));
  await taken();
  await fixture.alerts.forgetRun(run);
  fixture.clock.advance(3_600_000);
  await delay(50);
  expect(fixture.receiver.received).toHaveLength(1);
  expect(await fixture.alerts.deliveries()).toEqual([]);
  for await (const entry of fixture.bus.kv('alert-outbox').entries()) expect(entry.key).toBe('nothing');
});
