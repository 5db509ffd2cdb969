import type { ClickHouseClient } from '@clickhouse/client';
import { expect, it } from 'vitest';
import { eraseRun } from './erase-run.js';

/** A database in which a part that the mutation replaced is held for a while, as by a background task that ends late. */
function holding(answers: readonly (readonly string[])[]): { readonly client: ClickHouseClient; readonly commands: string[] } {
  const commands: string[] = [];
  let asked = 0;
  const client = {
    command: ({ query }: { query: string }) => Promise.resolve(commands.push(query.split(' ').slice(0, 5).join(' '))),
    query: () => {
      const names = answers[Math.min(asked++, answers.length - 1)]!;
      return Promise.resolve({ json: () => Promise.resolve(names.map((name) => [name])) });
    },
  };
  return { client: client as unknown as ClickHouseClient, commands };
}

it('asks for the old parts to be cleared away until none of them is left', async () => {
  const { client, commands } = holding([['old'], ['old', 'new'], ['old', 'new'], ['new']]);
  await eraseRun(client, 'scalars_raw', 'r');
  expect(commands).toEqual([
    'ALTER TABLE scalars_raw MODIFY SETTING',
    'ALTER TABLE scalars_raw DELETE WHERE',
    'ALTER TABLE scalars_raw DROP PARTITION',
    'ALTER TABLE scalars_raw DROP PARTITION',
    'ALTER TABLE scalars_raw DROP PARTITION',
    'KILL MUTATION WHERE database =',
    'ALTER TABLE scalars_raw RESET SETTING',
  ]);
});
