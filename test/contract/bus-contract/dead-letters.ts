import { describe, expect, test } from 'vitest';
import type { Group } from '#bus/bus.js';
import { finish, ids, take, text, type BusFixture } from './fixture.js';

export function deadLetters(fixture: BusFixture): void {
  const { publish, reopen } = fixture;

  /** Sets the first message aside, and leaves the others. */
  async function rejectFirst(group: Group): Promise<number> {
    const lease = await take(group, { maxMessages: 1 });
    const { position } = lease.messages[0]!;
    await lease.reject(position, 'bad', Buffer.from('state'));
    await lease.release();
    return position;
  }

  const reasons = async (group: Group): Promise<string[]> => (await group.deadLetters()).map(({ reason }) => reason);

  describe('dead letters', () => {
    test('retried, it goes through its group once more and through no other, with the newest state', async () => {
      const group = await fixture.bus.group('work', 'g');
      const other = await fixture.bus.group('work', 'other');
      await publish('a', ['1', '2', '3']);
      const position = await rejectFirst(group);
      await finish(other);
      await finish(group, 'newest');
      expect(await group.retryDeadLetter({ subject: 'a', position })).toBe(true);
      expect([await group.deadLetterCount(), await group.deadLetters()]).toEqual([0, []]);
      expect((await group.depth()).messages).toBe(1);
      const lease = await take(group);
      expect([ids(lease), lease.messages[0]!.position, text(lease.messages[0]!.body)]).toEqual([['1'], position, 'a:1']);
      expect(text(lease.state!)).toBe('newest');
      await lease.commit(position, Buffer.from('after'));
      await lease.release();
      expect(await group.take({ maxMessages: 9, maxBytes: 1e6, waitMs: 50 })).toBeUndefined();
      expect(await other.take({ maxMessages: 9, maxBytes: 1e6, waitMs: 50 })).toBeUndefined();
      expect(text((await group.state('a'))!)).toBe('after');
      expect((await group.depth()).messages).toBe(0);
      await publish('a', ['4']);
      expect(ids(await take(group))).toEqual(['4']);
      await reopen();
      const again = await fixture.bus.group('work', 'g');
      expect(ids(await take(again))).toEqual(['4']);
      expect(await again.deadLetters()).toEqual([]);
    });

    test('until it is committed it comes again, also after a crash', async () => {
      await fixture.bus.group('work', 'g');
      await publish('a', ['1']);
      const position = await rejectFirst(await fixture.bus.group('work', 'g'));
      await (await fixture.bus.group('work', 'g')).retryDeadLetter({ subject: 'a', position });
      await take(await fixture.bus.group('work', 'g'));
      await reopen();
      const group = await fixture.bus.group('work', 'g');
      const lease = await take(group);
      expect(ids(lease)).toEqual(['1']);
      await lease.release();
      expect(ids(await take(group))).toEqual(['1']);
    });

    test('rejected once more it is a dead letter again, with the new reason', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1', '2']);
      const position = await rejectFirst(group);
      await group.retryDeadLetter({ subject: 'a', position });
      const lease = await take(group);
      await lease.reject(position, 'still bad');
      await lease.release();
      expect(await reasons(group)).toEqual(['still bad']);
      expect(ids(await take(group))).toEqual(['2']);
    });

    test('a retry waits until nobody holds the subject', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1', '2']);
      const position = await rejectFirst(group);
      const holding = await take(group);
      await group.retryDeadLetter({ subject: 'a', position });
      expect(await group.take({ maxMessages: 9, maxBytes: 1e6, waitMs: 50 })).toBeUndefined();
      await holding.commit(holding.messages.at(-1)!.position);
      await holding.release();
      expect(ids(await take(group))).toEqual(['1']);
    });

    test('dropped, it is gone for good; what is not there is neither dropped nor retried', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1']);
      const position = await rejectFirst(group);
      const ref = { subject: 'a', position };
      for (const unknown of [
        { subject: 'a', position: position + 1 },
        { subject: 'nobody', position },
      ]) {
        expect([await group.retryDeadLetter(unknown), await group.dropDeadLetter(unknown)]).toEqual([false, false]);
      }
      expect(await Promise.all([group.dropDeadLetter(ref), group.dropDeadLetter(ref), group.retryDeadLetter(ref)])).toEqual([
        true,
        false,
        false,
      ]);
      await reopen();
      const again = await fixture.bus.group('work', 'g');
      expect([await again.deadLetterCount(), await again.retryDeadLetter(ref)]).toEqual([0, false]);
    });

    test('nothing of it stays when its subject is deleted', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1']);
      const position = await rejectFirst(group);
      await group.retryDeadLetter({ subject: 'a', position });
      await fixture.bus.deleteSubject('a');
      await reopen();
      await publish('a', ['new']);
      expect(ids(await take(await fixture.bus.group('work', 'g')))).toEqual(['new']);
    });

    test('every declared group is listed, with what it holds aside', async () => {
      await fixture.bus.group('work', 'g');
      await fixture.bus.group('other', 'h');
      await publish('a', ['1']);
      await rejectFirst(await fixture.bus.group('work', 'g'));
      await reopen();
      const counted = fixture.bus.groups().map(async ({ stream, name, group }) => [stream, name, await group.deadLetterCount()]);
      expect(await Promise.all(counted)).toEqual([
        ['work', 'g', 1],
        ['other', 'h', 0],
      ]);
    });
  });
}
