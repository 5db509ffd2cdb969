import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { finish, ids, leaseMs, take, text, type BusFixture } from './fixture.js';

export function groups(fixture: BusFixture): void {
  const { collect, publish, reopen } = fixture;

  describe('groups', () => {
    test('a subject is handed out in order, and goes on where it was committed', async () => {
      const group = await fixture.bus.group('work', 'g', { leaseMs });
      await publish('a', ['1', '2', '3']);
      const lease = await take(group, { maxMessages: 2 });
      expect(ids(lease)).toEqual(['1', '2']);
      await lease.commit(lease.messages[0]!.position, Buffer.from('one'));
      await lease.release();
      const next = await take(group);
      expect(ids(next)).toEqual(['2', '3']);
      expect(text(next.state!)).toBe('one');
      expect(text((await group.state('a'))!)).toBe('one');
    });

    test('a lease holds at least one message, whatever maxBytes says', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1', '2', '3']);
      expect(ids(await take(group, { maxBytes: 1 }))).toEqual(['1']);
    });

    test('nobody waits for what is not there, and everybody hears of what comes', async () => {
      const group = await fixture.bus.group('work', 'g');
      expect(await group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 20 })).toBeUndefined();
      const waiting = group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 10_000 });
      await publish('a', ['1']);
      expect(ids((await waiting)!)).toEqual(['1']);
    });

    test('an aborted take answers undefined and takes nothing', async () => {
      const group = await fixture.bus.group('work', 'g');
      const stopping = new AbortController();
      const waiting = group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 10_000, signal: stopping.signal });
      stopping.abort();
      expect(await waiting).toBeUndefined();
      await publish('a', ['1']);
      expect(ids(await take(group))).toEqual(['1']);
    });

    test('two workers never hold one subject', async () => {
      const group = await fixture.bus.group('work', 'g', { leaseMs: 20_000 });
      const subjects = ['a', 'b', 'c'];
      const perSubject = 40;
      const held = new Set<string>();
      const seen: Record<string, string[]> = { a: [], b: [], c: [] };
      const worker = async (): Promise<void> => {
        for (;;) {
          const lease = await group.take({ maxMessages: 3, maxBytes: 10_000, waitMs: 400 });
          if (lease === undefined) return;
          expect(held.has(lease.subject)).toBe(false);
          held.add(lease.subject);
          seen[lease.subject]!.push(...ids(lease));
          await delay(1);
          await lease.commit(lease.messages.at(-1)!.position);
          held.delete(lease.subject);
          await lease.release();
        }
      };
      const workers = [worker(), worker(), worker(), worker()];
      for (let i = 0; i < perSubject; i++) await Promise.all(subjects.map((subject) => publish(subject, [`${i}`])));
      await Promise.all(workers);
      const expected = Array.from({ length: perSubject }, (_, i) => `${i}`);
      expect(seen).toEqual({ a: expected, b: expected, c: expected });
    });

    test('the longest waiting subject is first', async () => {
      const group = await fixture.bus.group('work', 'g');
      for (const subject of ['c', 'a', 'b']) await publish(subject, ['1', '2']);
      const first = await take(group, { maxMessages: 1 });
      expect(first.subject).toBe('c');
      await first.commit(first.messages[0]!.position);
      await first.release();
      expect([(await take(group)).subject, (await take(group)).subject, (await take(group)).subject]).toEqual(['a', 'b', 'c']);
    });

    test('two groups do not disturb each other', async () => {
      const one = await fixture.bus.group('work', 'one');
      const two = await fixture.bus.group('work', 'two');
      await publish('a', ['1']);
      await finish(one, 'state of one');
      expect((await one.depth()).messages).toBe(0);
      expect((await two.depth()).messages).toBe(1);
      expect(await two.state('a')).toBeUndefined();
      expect(ids(await take(two))).toEqual(['1']);
    });

    test('depth counts messages and dates the oldest', async () => {
      const group = await fixture.bus.group('work', 'g');
      expect(await group.depth()).toEqual({ messages: 0, oldestTimeMs: undefined });
      await publish('a', ['1', '2']);
      await publish('b', ['1']);
      const [oldest] = await collect(0, 1);
      expect(await group.depth()).toEqual({ messages: 3, oldestTimeMs: oldest!.timeMs });
      await reopen();
      const again = await fixture.bus.group('work', 'g');
      expect(await again.depth()).toEqual({ messages: 3, oldestTimeMs: oldest!.timeMs });
      await finish(again);
      expect(await again.depth()).toEqual({ messages: 0, oldestTimeMs: undefined });
    });
  });
}
