import { describe, expect, test } from 'vitest';
import { eventually, finish, ids, take, type BusFixture } from './fixture.js';

export function retention(fixture: BusFixture): void {
  const { collect, publish, reopen } = fixture;

  describe('retention', () => {
    test('a work message is kept until the last group is past it', async () => {
      const one = await fixture.bus.group('work', 'one');
      const two = await fixture.bus.group('work', 'two');
      await publish('a', ['1', '2']);
      await finish(one);
      expect(await fixture.bus.floor('work')).toBe(0);
      expect(await collect(0, 2)).toHaveLength(2);
      await finish(two);
      expect(await fixture.bus.floor('work')).toBe(await fixture.bus.head('work'));
    });

    test('a group declared later starts at the oldest message that is kept', async () => {
      const one = await fixture.bus.group('work', 'one');
      await publish('a', ['1']);
      await finish(one);
      await publish('a', ['2']);
      await publish('b', ['1']);
      const late = await fixture.bus.group('work', 'late');
      expect((await late.depth()).messages).toBe(2);
      await finish(one);
      await reopen();
      const again = await fixture.bus.group('work', 'late');
      expect((await again.depth()).messages).toBe(2);
      expect([ids(await take(again)), ids(await take(again))]).toEqual([['2'], ['1']]);
    });

    test('positions go on after everything was finished and the bus was opened again', async () => {
      const group = await fixture.bus.group('work', 'g');
      const [first] = await publish('a', ['1']);
      await finish(group);
      await reopen();
      const [second] = await publish('a', ['2']);
      expect(second!.position).toBeGreaterThan(first!.position);
      expect(await fixture.bus.head('work')).toBe(second!.position);
    });

    test('of a recent stream the newest are kept, and the floor says what is gone', async () => {
      for (let i = 0; i < 30; i++)
        await publish(
          `s${i % 3}`,
          Array.from({ length: 20 }, (_, k) => `${i}.${k}`),
          'recent',
        );
      await eventually(async () => expect(await fixture.bus.floor('recent')).toBeGreaterThan(400));
      const [floor, head] = [await fixture.bus.floor('recent'), await fixture.bus.head('recent')];
      expect(head - floor).toBeGreaterThanOrEqual(100);
      const left = await collect(0, head - floor, { stream: 'recent' });
      expect(left[0]!.position).toBe(floor + 1);
      expect(left.at(-1)!.position).toBe(head);
    });
  });
}
