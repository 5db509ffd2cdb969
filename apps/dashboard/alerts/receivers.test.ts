import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { newId } from '#runtime/ids.js';
import { alertsFixture, eventually, finding, inState } from './testing/alerts-fixture.js';
import { startRudeReceiver } from './testing/rude-receiver.js';

const fixture = alertsFixture();
const { deliveriesThat, find, receivedBy, restart, rule, summaries, taken } = fixture;

const pushed = (count: number, status: number): void => {
  for (let i = 0; i < count; i++) fixture.receiver.answers.push((response) => response.writeHead(status).end());
};

describe('alerts - each receiver by itself', () => {
  test('30 receivers that never answer do not delay one that does', async () => {
    const silent = await startRudeReceiver('never answers');
    for (let i = 0; i < 30; i++) await rule({ id: `silent${i}`, url: `${silent.url}${i}` });
    await rule({ id: 'fast' });
    for (let round = 1; round <= 3; round++) {
      const startedMs = performance.now();
      await find(finding(`round ${round}`, { run: newId('r') }));
      await receivedBy(round);
      // A second is the promise; the rest is for a machine that does ten other things.
      expect(performance.now() - startedMs).toBeLessThan(5000);
    }
    expect(silent.connections).toBe(30);
    await silent.close();
  });

  test('a receiver gets one delivery at a time, in order, and after an outage too', async () => {
    let open = 0;
    let most = 0;
    for (let i = 0; i < 12; i++) {
      fixture.receiver.answers.push((response) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          response.writeHead(i === 0 ? 503 : 204).end();
        }, 20);
      });
    }
    await rule();
    const runs = Array.from({ length: 10 }, (_, i) => newId('r', 1_700_000_000_000 + i));
    for (const [i, id] of runs.entries()) {
      await find(finding(`f${i}`, { run: id }));
      await taken();
      fixture.clock.advance(1);
    }
    await deliveriesThat((all) => all.some(({ tries }) => tries.length === 1));
    await delay(100);
    expect(fixture.receiver.received).toHaveLength(1);
    fixture.clock.advance(6000);
    await receivedBy(11);
    expect(most).toBe(1);
    expect(fixture.receiver.received.slice(1).map((_, i) => summaries(i + 1)[0])).toEqual(runs.map((_, i) => `finding f${i}`));
  });

  test('while a receiver is away it is asked once a wait, however many runs have something for it', async () => {
    pushed(1000, 503);
    await rule();
    await find(...Array.from({ length: 50 }, (_, i) => finding(`f${i}`, { run: newId('r') })));
    await taken();
    for (let i = 0; i < 8; i++) {
      await deliveriesThat((all) => all.some(({ tries }) => tries.length === i + 1));
      fixture.clock.advance(17 * 60_000);
    }
    await delay(100);
    expect(fixture.receiver.received.length).toBeLessThanOrEqual(9);
    fixture.receiver.answers.length = 0;
    fixture.clock.advance(17 * 60_000);
    await deliveriesThat((all) => all.length === 50 && all.every(({ state }) => state === 'delivered'));
  });

  test('a delivery that the receiver alone refuses holds up nobody', async () => {
    pushed(1, 422);
    await rule();
    await find(finding('refused', { run: newId('r') }));
    await deliveriesThat(inState('pending', 1));
    await find(finding('good', { run: newId('r') }));
    await receivedBy(2);
    expect(summaries(1)).toEqual(['finding good']);
    fixture.clock.advance(6000);
    await receivedBy(3);
    expect(summaries(2)).toEqual(['finding refused']);
  });

  test('a delivery that breaks its receiver three times lets the others go first', async () => {
    await rule();
    pushed(3, 500);
    await find(finding('poison', { run: newId('r') }));
    for (let tries = 1; tries <= 3; tries++) {
      // The good one may be told as soon as the third try has failed.
      await deliveriesThat((all) => all.some((delivery) => delivery.tries.length === tries));
      if (tries === 1) await find(finding('good', { run: newId('r') }));
      if (tries < 3) fixture.clock.advance(40_000);
    }
    await receivedBy(4);
    expect(summaries(3)).toEqual(['finding good']);
  });

  test('what is waiting has a bound: the rest is left out, counted, and said', async () => {
    await restart({ maxWaiting: 150 });
    await rule({ groupSeconds: 10 });
    await find(...Array.from({ length: 180 }, (_, i) => finding(`f${i}`)));
    await taken();
    fixture.clock.advance(10_000);
    await receivedBy(2);
    expect([summaries(0).length, summaries(1).length]).toEqual([100, 50]);
    expect(fixture.receiver.received.map((hook) => hook.body['truncatedAlerts'])).toEqual([30, 0]);
    // Room again: what comes now is told.
    await find(finding('later'));
    await taken();
    fixture.clock.advance(20_000);
    await receivedBy(3);
  });

  test('thousands that wait are names in memory, and go out after a restart', async () => {
    const text = 'x'.repeat(2000);
    await rule({ groupSeconds: 60 });
    const runs = Array.from({ length: 40 }, () => newId('r'));
    for (const id of runs) await find(...Array.from({ length: 100 }, (_, i) => finding(`${id}.${i}`, { run: id, text })));
    await taken();
    await restart();
    fixture.clock.advance(61_000);
    await receivedBy(40);
    const told = fixture.receiver.received.flatMap((hook) => hook.body.alerts.map((alert) => alert.annotations['finding']));
    expect(new Set(told).size).toBe(4000);
    expect(told).toHaveLength(4000);
  });

  test('the list of rules says how it goes with each receiver', async () => {
    const state = async () => (await fixture.alerts.rules.list())[0]!.receiver;
    await rule();
    expect(await state()).toEqual({ waiting: 0 });
    pushed(2, 503);
    const sinceMs = fixture.clock.nowMs();
    await find(finding('a', { run: newId('r') }), finding('b', { run: newId('r') }));
    await eventually(state, ({ waiting, failingSinceMs }) => waiting === 1 && failingSinceMs !== undefined);
    fixture.clock.advance(6000);
    await deliveriesThat((all) => all.some(({ tries }) => tries.length === 2));
    expect(await state()).toEqual({ waiting: 1, failingSinceMs: sinceMs, error: 'the receiver answered 503' });
    await restart();
    expect(await state()).toEqual({ waiting: 1, failingSinceMs: sinceMs, error: 'the receiver answered 503' });
    fixture.clock.advance(40_000);
    expect(await eventually(state, ({ waiting }) => waiting === 0)).not.toHaveProperty('failingSinceMs');
    await deliveriesThat((all) => all.length === 2 && all.every((one) => one.state === 'delivered'));
    expect(await state()).toEqual({ waiting: 0, deliveredMs: fixture.clock.nowMs() });
  });

  test('a deleted run is not sent, although its delivery is under way', async () => {
    const silent = await startRudeReceiver('never answers');
    await rule({ url: silent.url });
    const id = newId('r');
    await find(finding('a', { run: id }));
    await eventually(
      () => silent.connections,
      (connections) => connections === 1,
    );
    const startedMs = performance.now();
    await fixture.alerts.forgetRun(id);
    // Without waiting for the receiver.
    expect(performance.now() - startedMs).toBeLessThan(5000);
    expect(await fixture.alerts.deliveries()).toEqual([]);
    await silent.close();
  });
});
