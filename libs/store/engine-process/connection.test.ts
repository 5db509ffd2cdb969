import type { Session } from 'chdb';
import { expect, test } from 'vitest';
import { Connection } from './connection.js';

/** A session that keeps what it is told. */
function recorded(): { readonly session: Session; readonly told: string[] } {
  const told: string[] = [];
  const queryAsync = (sql: string): Promise<void> => Promise.resolve(void told.push(...sql.split('; ')));
  return { session: { queryAsync, close: () => undefined } as unknown as Session, told };
}

const bounds = ['max_threads = 2', "profile = 'foreign'", 'readonly = 2'];

test('what a statement wants is told once, and what it no longer wants is taken back', async () => {
  const { session, told } = recorded();
  const connection = new Connection(session, 'stagewatch', bounds);
  const comment = `SET log_comment = '${connection.mark}'`;
  await connection.prepare({ settings: { a: '1', b: 'x' }, parameters: { run: "r'1" } });
  const bound = ['SET max_threads = 2', "SET profile = 'foreign'", 'SET readonly = 2'];
  expect(told.splice(0)).toEqual([
    'USE `stagewatch`',
    "SET a = '1'",
    "SET b = 'x'",
    comment,
    "SET param_run = 'r\\'1'",
    ...bound,
  ]);
  await connection.prepare({ settings: { a: '1', b: 'x' }, parameters: {} });
  expect(told).toEqual([]);
  await connection.prepare({ settings: { a: '2', log_comment: 'why' }, parameters: {} });
  expect(told.splice(0)).toEqual(['SET b = DEFAULT', "SET a = '2'", `SET log_comment = '${connection.mark} why'`]);
  await connection.prepare({ settings: {}, parameters: {} });
  expect(told).toEqual(['SET a = DEFAULT', comment]);
  expect(connection.uses).toBe(4);
});

test('a bound is not lifted by what a statement brings', async () => {
  const { session, told } = recorded();
  const connection = new Connection(session, 'default', bounds);
  for (let again = 0; again < 2; again++)
    await connection.prepare({ settings: { max_threads: '64', readonly: '0', profile: 'default' }, parameters: {} });
  const comment = `SET log_comment = '${connection.mark}'`;
  expect(told).toEqual([comment, 'SET max_threads = 2', "SET profile = 'foreign'", 'SET readonly = 2']);
});
