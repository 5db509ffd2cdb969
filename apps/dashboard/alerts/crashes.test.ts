import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { Metrics } from '#runtime/metrics.js';
import { createAlerts } from './index.js';
import { alertsFixture, eventually, finding, inState, run } from './testing/alerts-fixture.js';

const fixture = alertsFixture();
const { deliveriesThat, find, receivedBy, restart, rule, summaries, taken } = fixture;

describe('alerts - crashes', () => {
  test('between outbox and commit: the finding comes again and is told once', async () => {
    await rule({ groupSeconds: 10 });
    const dies: Bus = Object.assign(Object.create(fixture.bus) as Bus, {
      group: async (...args: Parameters<Bus['group']>) => {
        const group = await fixture.bus.group(...args);
        return {
          ...group,
          take: async (options: Parameters<typeof group.take>[0]) => {
            const lease = await group.take(options);
            const died = (): Promise<void> => Promise.reject(new Error('killed before the commit'));
            return (
              lease && Object.assign(Object.create(lease) as typeof lease, { commit: died, release: () => new Promise(() => {}) })
            );
          },
        };
      },
    });
    const killed = createAlerts({
      bus: dies,
      config: { alertsAllowPrivate: true, host: '127.0.0.1', publicUrl: undefined, ports: { grpc: 1, http: 1, clickhouse: 1 } },
      logger: fixture.logger,
      metrics: new Metrics(),
      clock: fixture.clock,
    });
    await fixture.alerts.close();
    await killed.start();
    await find(finding('a'));
    await eventually(
      () => fixture.logged,
      (lines) => lines.includes('killed before the commit'),
    );
    // The process is gone: its lease with it.
    await fixture.startAfterCrash();
    await taken();
    fixture.clock.advance(10_000);
    await receivedBy(1);
    fixture.clock.advance(60_000);
    await delay(50);
    expect(fixture.receiver.received).toHaveLength(1);
    expect(summaries(0)).toEqual(['finding a']);
  });

  test('a restart goes on with what waits: same id, same body, tries counted on', async () => {
    await rule();
    fixture.receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    await find(finding('b'));
    await taken();
    await restart();
    fixture.clock.advance(6_000);
    await receivedBy(3);
    expect(fixture.receiver.received[1]!.text).toBe(fixture.receiver.received[0]!.text);
    expect(fixture.receiver.received[1]!.headers['webhook-id']).toBe(fixture.receiver.received[0]!.headers['webhook-id']);
    expect(summaries(2)).toEqual(['finding b']);
    await deliveriesThat((all) => all.length === 2 && all.every((delivery) => delivery.state === 'delivered'));
    await restart();
    await delay(50);
    expect(fixture.receiver.received).toHaveLength(3);
  });

  test('what is no finding is set aside and stops nobody', async () => {
    await rule();
    await fixture.bus.publish('findings', [{ subject: run, id: 'garbage', body: Buffer.from('{"id":') }]);
    await find(finding('a'));
    await receivedBy(1);
    const letters = await (await fixture.bus.group('findings', 'alerts')).deadLetters();
    expect(letters.map((letter) => [letter.message.id, letter.reason])).toEqual([['garbage', 'not a finding']]);
    expect((await fixture.metrics.deadLetters.get()).values).toMatchObject([
      { value: 1, labels: { stream: 'findings', group: 'alerts' } },
    ]);
  });
});
