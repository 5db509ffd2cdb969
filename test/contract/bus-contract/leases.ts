import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { LeaseLost } from '#bus/bus.js';
import { ids, leaseMs, take, text, type BusFixture } from './fixture.js';

export function leases(fixture: BusFixture): void {
  const { publish } = fixture;

  describe('leases', () => {
    test('when one expires, the next worker gets the work and the old one can save nothing', async () => {
      const group = await fixture.bus.group('work', 'g', { leaseMs });
      await publish('a', ['1']);
      const slow = await take(group);
      const next = await take(group, { waitMs: leaseMs * 20 });
      expect(ids(next)).toEqual(['1']);
      expect(next.deliveries).toBe(2);
      await expect(slow.commit(slow.messages[0]!.position, Buffer.from('stale'))).rejects.toBeInstanceOf(LeaseLost);
      await expect(slow.extend()).rejects.toBeInstanceOf(LeaseLost);
      await expect(slow.reject(slow.messages[0]!.position, 'stale')).rejects.toBeInstanceOf(LeaseLost);
      expect(await group.state('a')).toBeUndefined();
      expect(await group.deadLetters()).toEqual([]);
      await slow.release();
      await next.commit(next.messages[0]!.position, Buffer.from('fresh'));
      expect(text((await group.state('a'))!)).toBe('fresh');
    });

    test('an expired lease saves nothing even if nobody else wanted the subject', async () => {
      const group = await fixture.bus.group('work', 'g', { leaseMs });
      await publish('a', ['1']);
      const slow = await take(group);
      await delay(leaseMs * 2);
      await expect(slow.commit(slow.messages[0]!.position, Buffer.from('stale'))).rejects.toBeInstanceOf(LeaseLost);
      expect(await group.state('a')).toBeUndefined();
      expect((await group.depth()).messages).toBe(1);
    });

    test('a worker that blocked its process beyond the lease saves nothing', async () => {
      const group = await fixture.bus.group('work', 'g', { leaseMs });
      await publish('a', ['1']);
      const slow = await take(group);
      const until = performance.now() + leaseMs * 1.5;
      while (performance.now() < until);
      await expect(slow.commit(slow.messages[0]!.position, Buffer.from('stale'))).rejects.toBeInstanceOf(LeaseLost);
      expect(await group.state('a')).toBeUndefined();
    });

    test('extending keeps a lease beyond its time', async () => {
      const group = await fixture.bus.group('work', 'g', { leaseMs });
      await publish('a', ['1']);
      const lease = await take(group);
      for (let i = 0; i < 6; i++) {
        await delay(leaseMs / 3);
        await lease.extend();
      }
      expect(await group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 10 })).toBeUndefined();
      await lease.commit(lease.messages[0]!.position);
      expect((await group.depth()).messages).toBe(0);
    });

    test('released with a delay, a subject rests', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1']);
      const lease = await take(group);
      await lease.release(400);
      expect(await group.take({ maxMessages: 1, maxBytes: 1000, waitMs: 50 })).toBeUndefined();
      expect(ids(await take(group, { waitMs: 10_000 }))).toEqual(['1']);
    });

    test('a commit beyond the messages of the lease is refused', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1', '2']);
      const lease = await take(group, { maxMessages: 1 });
      await expect(lease.commit(lease.messages[0]!.position + 1)).rejects.toThrow(RangeError);
      expect((await group.depth()).messages).toBe(2);
    });
  });
}
