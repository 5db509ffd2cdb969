import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { alertsFixture, finding, inState } from './testing/alerts-fixture.js';

const fixture = alertsFixture();
const { deliveriesThat, find, receivedBy, rule, summaries, taken } = fixture;

describe('alerts - grouping and throttling', () => {
  test('findings of one run within the window travel together, those of another run apart', async () => {
    await rule({ groupSeconds: 10 });
    await find(finding('a'), finding('b'));
    await find(finding('other', { run: 'r0000000000zzzzzzzzzzzzzzzz' }));
    await taken();
    fixture.clock.advance(6_000);
    await find(finding('c'));
    await taken();
    expect(fixture.receiver.received).toEqual([]);
    fixture.clock.advance(4_000);
    await receivedBy(2);
    const sent = [summaries(0), summaries(1)].sort((one, other) => other.length - one.length);
    expect(sent.map((texts) => texts.toSorted((one, other) => one!.localeCompare(other!)))).toEqual([
      ['finding a', 'finding b', 'finding c'],
      ['finding other'],
    ]);
  });

  test('after a delivery later findings are collected, and none is lost', async () => {
    await rule({ throttleSeconds: 60 });
    await find(finding('a'));
    await deliveriesThat(inState('delivered', 1));
    for (const id of ['b', 'c', 'd']) {
      await find(finding(id));
      await taken();
      fixture.clock.advance(15_000);
    }
    await delay(50);
    expect(fixture.receiver.received).toHaveLength(1);
    fixture.clock.advance(15_000);
    await receivedBy(2);
    expect(summaries(1)).toEqual(['finding b', 'finding c', 'finding d']);
  });

  test('while a receiver is down, findings collect and travel in one delivery after the one that waits', async () => {
    await rule();
    fixture.receiver.answers.push((response) => response.writeHead(500).end());
    await find(finding('a'));
    await deliveriesThat(inState('pending', 1));
    await find(finding('b'), finding('c'));
    await taken();
    fixture.clock.advance(6_000);
    await receivedBy(3);
    expect([summaries(1), summaries(2)]).toEqual([['finding a'], ['finding b', 'finding c']]);
  });

  test('a hundred findings are the most of one delivery', async () => {
    await rule({ groupSeconds: 10 });
    await find(...Array.from({ length: 130 }, (_, i) => finding(`f${i}`)));
    await taken();
    fixture.clock.advance(10_000);
    await receivedBy(2);
    expect([summaries(0).length, summaries(1).length]).toEqual([100, 30]);
    expect(new Set([...summaries(0), ...summaries(1)]).size).toBe(130);
  });
});
