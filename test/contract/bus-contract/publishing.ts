import { describe, expect, test } from 'vitest';
import { finish, text, type BusFixture } from './fixture.js';

export function publishing(fixture: BusFixture): void {
  const { collect, publish, reopen } = fixture;

  describe('publishing', () => {
    test('positions grow and messages come back as they were sent', async () => {
      const before = Date.now();
      const results = await publish('a', ['1', '2', '3']);
      expect(results.map((result) => result.duplicate)).toEqual([false, false, false]);
      const messages = await collect(0, 3);
      expect(messages.map((message) => message.position)).toEqual(results.map((result) => result.position));
      expect(messages.map((message) => `${message.subject} ${message.id} ${text(message.body)}`)).toEqual([
        'a 1 a:1',
        'a 2 a:2',
        'a 3 a:3',
      ]);
      expect(messages.every((message) => message.timeMs >= before - 1 && message.timeMs <= Date.now() + 1)).toBe(true);
      expect(await fixture.bus.head('work')).toBe(results.at(-1)!.position);
    });

    test('a call without messages does nothing', async () => {
      expect(await fixture.bus.publish('work', [])).toEqual([]);
      expect(await fixture.bus.head('work')).toBe(0);
    });

    test('empty and large bodies survive', async () => {
      const large = Buffer.alloc(700_000, 'x');
      await fixture.bus.publish('work', [
        { subject: 'a', id: 'empty', body: new Uint8Array() },
        { subject: 'a', id: 'large', body: large },
      ]);
      const [first, second] = await collect(0, 2);
      expect(first!.body.length).toBe(0);
      expect(Buffer.compare(second!.body, large)).toBe(0);
    });

    test('an id is known within its subject, in one call, over calls, and after a restart', async () => {
      const [first, twin] = await publish('a', ['1', '1']);
      expect(twin).toEqual({ position: first!.position, duplicate: true });
      expect(await publish('a', ['1'])).toEqual([twin]);
      expect((await publish('b', ['1']))[0]!.duplicate).toBe(false);
      await reopen();
      expect(await publish('a', ['1'])).toEqual([twin]);
      expect(await collect(0, 2)).toHaveLength(2);
    });

    test('two publishers of the same messages at the same time store them once', async () => {
      const ids = Array.from({ length: 50 }, (_, i) => `${i}`);
      const answers = await Promise.all([publish('a', ids), publish('a', ids), publish('a', ids)]);
      expect(answers.flat().filter((result) => !result.duplicate)).toHaveLength(50);
      expect((await collect(0, 50)).map((message) => message.id).sort()).toEqual(ids.toSorted());
    });

    test('an id stays known for a while after its message is gone', async () => {
      const group = await fixture.bus.group('work', 'g');
      await publish('a', ['1', '2']);
      await finish(group);
      await reopen();
      expect((await publish('a', ['1', '2'])).every((result) => result.duplicate)).toBe(true);
      expect((await (await fixture.bus.group('work', 'g')).depth()).messages).toBe(0);
    });

    test('calls that are not awaited keep their order', async () => {
      const ids = Array.from({ length: 40 }, (_, i) => `${i}`);
      await Promise.all(ids.map((id) => publish('a', [id])));
      expect((await collect(0, 40)).map((message) => message.id)).toEqual(ids);
    });

    test('a subject or id that is empty or too long is refused', async () => {
      await expect(publish('', ['1'])).rejects.toThrow(RangeError);
      await expect(publish('a', [''])).rejects.toThrow(RangeError);
      await expect(publish('a', ['x'.repeat(201)])).rejects.toThrow(RangeError);
    });
  });
}
