import { describe, expect, test } from 'vitest';
import { text, type BusFixture } from './fixture.js';

export function keyValue(fixture: BusFixture): void {
  const { reopen } = fixture;

  describe('key-value', () => {
    test('values, revisions and compare-and-set', async () => {
      const kv = fixture.bus.kv('bucket');
      expect(await kv.get('k')).toBeUndefined();
      const first = (await kv.put('k', Buffer.from('1'), 0))!;
      expect(await kv.put('k', Buffer.from('x'), 0)).toBeUndefined();
      const second = (await kv.put('k', Buffer.from('2'), first))!;
      expect(await kv.put('k', Buffer.from('x'), first)).toBeUndefined();
      const entry = (await kv.get('k'))!;
      expect([entry.key, text(entry.value), entry.revision]).toEqual(['k', '2', second]);
      await reopen();
      expect(text((await fixture.bus.kv('bucket').get('k'))!.value)).toBe('2');
      expect(await fixture.bus.kv('elsewhere').get('k')).toBeUndefined();
    });

    test('of many who compare and set, one succeeds', async () => {
      const kv = fixture.bus.kv('bucket');
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => kv.put('k', Buffer.from(`${i}`), 0)));
      expect(answers.filter((answer) => answer !== undefined)).toHaveLength(1);
    });

    test('a deleted key is absent and may be put again, with another revision', async () => {
      const kv = fixture.bus.kv('bucket');
      const old = await kv.put('k', Buffer.from('1'));
      await kv.delete('k');
      await kv.delete('never there');
      expect(await kv.get('k')).toBeUndefined();
      const fresh = await kv.put('k', Buffer.from('2'), 0);
      expect(fresh).toBeGreaterThan(old!);
    });

    test('entries come by prefix, in the order of their keys, however many', async () => {
      const kv = fixture.bus.kv('bucket');
      const keys = Array.from({ length: 600 }, (_, i) => `run/${String(i).padStart(4, '0')}`);
      await Promise.all([...keys, 'sun'].map((key) => kv.put(key, Buffer.from(key))));
      const found = [];
      for await (const entry of kv.entries('run/')) found.push(entry.key);
      expect(found).toEqual(keys);
      const all = [];
      for await (const entry of kv.entries()) all.push(entry.key);
      expect(all).toEqual([...keys, 'sun']);
    });
  });
}
