import { describe, expect, test } from 'vitest';
import { LeaseLost } from '#bus/bus.js';
import { finish, ids, take, type BusFixture } from './fixture.js';

export function deleting(fixture: BusFixture): void {
  const { collect, publish, reopen } = fixture;

  describe('deleting a subject', () => {
    test('nothing of it stays, nobody holds it, and others do not notice', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('gone', ['1', '2']);
      await publish('gone', ['1'], 'other');
      await publish('stays', ['1']);
      const rejected = await take(group, { maxMessages: 1 });
      await rejected.reject(rejected.messages[0]!.position, 'bad', Buffer.from('state'));
      await fixture.bus.deleteSubject('gone');
      await expect(rejected.commit(rejected.messages[0]!.position, Buffer.from('x'))).rejects.toBeInstanceOf(LeaseLost);
      await rejected.release();
      expect(await group.state('gone')).toBeUndefined();
      expect(await group.deadLetters()).toEqual([]);
      expect((await group.depth()).messages).toBe(1);
      expect((await collect(0, 1)).map((message) => message.subject)).toEqual(['stays']);
      expect(await fixture.bus.floor('other')).toBe(await fixture.bus.head('other'));
      await fixture.bus.deleteSubject('never there');
    });

    test('a subject of the same name starts anew', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1']);
      await finish(group, 'old');
      await fixture.bus.deleteSubject('a');
      await reopen();
      const again = await fixture.bus.group('work', 'g');
      expect((await publish('a', ['1']))[0]!.duplicate).toBe(false);
      const lease = await take(again);
      expect([ids(lease), lease.state]).toEqual([['1'], undefined]);
    });
  });
}
