import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { BusFixture } from './fixture.js';

export function tails(fixture: BusFixture): void {
  const { collect, publish } = fixture;

  describe('tails', () => {
    test('from a cursor everything comes, old and new, none missing and none twice, while others publish', async () => {
      await publish('a', ['before']);
      const cursor = await fixture.bus.head('work');
      const publishers = 4;
      const each = 50;
      const total = publishers * each;
      const tails = [collect(cursor, total), collect(cursor, total)];
      const results = await Promise.all(
        Array.from({ length: publishers }, async (_, p) => {
          const mine = [];
          for (let i = 0; i < each; i++) mine.push(...(await publish(`p${p}`, [`${i}`])));
          return mine;
        }),
      );
      const positions = results.flat().map((result) => result.position);
      const late = await collect(cursor, total);
      for (const tail of [...(await Promise.all(tails)), late]) {
        expect(tail.map((message) => message.position)).toEqual(positions.toSorted((a, b) => a - b));
      }
    });

    test('of one subject only its messages come', async () => {
      const wanted = collect(0, 3, { subject: 'b' });
      for (const id of ['1', '2', '3']) for (const subject of ['a', 'b', 'c']) await publish(subject, [id]);
      expect((await wanted).map((message) => `${message.subject}${message.id}`)).toEqual(['b1', 'b2', 'b3']);
      expect((await collect(0, 3, { subject: 'c' })).map((message) => message.id)).toEqual(['1', '2', '3']);
    });

    test('an aborted tail ends, and so does one whose bus is closed', async () => {
      const stopping = new AbortController();
      const drained = async (signal?: AbortSignal): Promise<number> => {
        let count = 0;
        for await (const _ of fixture.bus.tail('work', { after: 0, ...(signal === undefined ? {} : { signal }) })) count++;
        return count;
      };
      await publish('a', ['1']);
      const aborted = drained(stopping.signal);
      const closed = drained();
      await delay(20);
      stopping.abort();
      expect(await aborted).toBe(1);
      await fixture.bus.close();
      expect(await closed).toBe(1);
    });
  });
}
