import { expect, it } from 'vitest';
import type { Store } from '#store/store.js';
import { codec } from '#wire/codec.js';
import { Gathered, writeRows } from './flush.js';
import { newMemory } from './memory.js';

it('flush - the row of the run is written when all other rows are in', async () => {
  const done: string[] = [];
  const slowTables: Pick<Store, 'write'> = {
    async write(table) {
      if (table !== 'runs') await new Promise((resolve) => setTimeout(resolve, 5));
      done.push(table);
    },
  };
  const attached = codec('AttachRunRequest').decode(codec('AttachRunRequest').encode({ name: 'a run' }));
  await writeRows(slowTables as Store, 'r1', newMemory(attached, 1, 0, {}), new Gathered());
  expect(done).toHaveLength(4);
  expect(done.at(-1)).toBe('runs');
});
