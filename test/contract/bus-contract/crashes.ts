import { describe, expect, test } from 'vitest';
import { ids, take, text, type BusFixture } from './fixture.js';

export function crashes(fixture: BusFixture): void {
  const { publish, reopen } = fixture;

  describe('crashes', () => {
    test('between publish and commit the message comes again, with the old state', async () => {
      let group = await fixture.bus.group('work', 'g', { leaseMs: 60_000 });
      await publish('a', ['1', '2']);
      const first = await take(group, { maxMessages: 1 });
      await first.commit(first.messages[0]!.position, Buffer.from('after 1'));
      await first.release();
      const second = await take(group);
      expect(ids(second)).toEqual(['2']);
      await reopen();
      group = await fixture.bus.group('work', 'g', { leaseMs: 60_000 });
      const again = await take(group);
      expect(ids(again)).toEqual(['2']);
      expect(again.deliveries).toBe(2);
      expect(text(again.state!)).toBe('after 1');
    });

    test('poison becomes a dead letter with its reason, and what follows goes on', async () => {
      let group = await fixture.bus.group('work', 'g', { leaseMs: 60_000, maxDeliveries: 3 });
      await publish('a', ['poison', 'good']);
      for (let delivery = 1; delivery <= 3; delivery++) {
        const lease = await take(group);
        expect([ids(lease), lease.deliveries]).toEqual([['poison', 'good'], delivery]);
        await reopen();
        group = await fixture.bus.group('work', 'g', { leaseMs: 60_000, maxDeliveries: 3 });
      }
      const next = await take(group);
      expect([ids(next), next.deliveries]).toEqual([['good'], 1]);
      const [letter] = await group.deadLetters();
      expect([letter!.message.id, text(letter!.message.body), letter!.message.subject]).toEqual(['poison', 'a:poison', 'a']);
      expect(letter!.reason).toContain('3');
    });

    test('a commit starts the count of deliveries again', async () => {
      const group = await fixture.bus.group('work', 'g', { maxDeliveries: 2 });
      await publish('a', ['1', '2', '3', '4']);
      for (const id of ['1', '2', '3', '4']) {
        const lease = await take(group);
        expect([lease.messages[0]!.id, lease.deliveries]).toEqual([id, 1]);
        await lease.commit(lease.messages[0]!.position);
        await lease.release();
      }
      expect(await group.deadLetters()).toEqual([]);
    });

    test('a rejected message is set aside with the state of the one who knew', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1', '2', '3']);
      const lease = await take(group);
      await lease.reject(lease.messages[1]!.position, 'unreadable', Buffer.from('past 2'));
      await lease.release();
      const [letter] = await group.deadLetters();
      expect([letter!.message.id, letter!.reason]).toEqual(['2', 'unreadable']);
      const next = await take(group);
      expect([ids(next), text(next.state!)]).toEqual([['3'], 'past 2']);
    });
  });
}
