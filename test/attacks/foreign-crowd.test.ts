/** Two hundred strangers at once: who waits is answered, the others hear when to come back, and the page does not notice. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StagewatchError } from '#runtime/errors.js';
import type { Store } from '#store/store.js';
import { openTemporaryStore, readText } from '#store/testing/temporary-store.js';
import { scalar } from '../contract/store-rows.js';

const crowd = 200;
const waiting = 64;
const running = 2;
/** The promise is 250 ms; a machine that others load is given four times that. */
const pageWithinMs = 1000;

let store: Store;
let close: () => Promise<void>;
beforeAll(async () => {
  const temporary = await openTemporaryStore();
  store = temporary.store;
  close = () => temporary.close();
  await store.write(
    'scalars',
    Array.from({ length: 5000 }, (_, i) => scalar('r', i, i)),
  );
});
afterAll(() => close());

const burning = 'SELECT count() FROM numbers(1e13) WHERE NOT ignore(cityHash64(number))';

type Outcome = 'answered' | StagewatchError;
const outcome = (asked: Promise<unknown>): Promise<Outcome> =>
  asked.then(
    () => 'answered',
    (error: StagewatchError) => error,
  );
/** The line was full when it came; others are sent away when they have waited for too long. */
const isTurnedAway = (result: Outcome): boolean => result !== 'answered' && /More than \d+ queries wait/.test(result.message);
const isBusy = (result: Outcome): boolean => result !== 'answered' && result.message.startsWith('Code: 202.');

async function medianPageRead(): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 15; i++) {
    const startMs = performance.now();
    const [, series] = await Promise.all([store.runs(), store.series({ run: 'r', name: 'loss.train', maxPoints: 500 })]);
    expect(series.steps.length).toBeGreaterThan(100);
    times.push(performance.now() - startMs);
  }
  return times.toSorted((a, b) => a - b)[7]!;
}

test('each of those that wait is answered, the others are told when to come back, the page is served meanwhile', async () => {
  const outcomes: Outcome[] = [];
  const asked = Array.from({ length: crowd }, async (_, i) => {
    const result = await outcome(store.query({ sql: `${burning} AND number != ${i}`, maxSeconds: 1 }).then(readText));
    outcomes.push(result);
    return result;
  });
  const pageMs = await medianPageRead();
  const results = await Promise.all(asked);
  const refused = results.filter(isBusy) as StagewatchError[];
  const served = results.filter((result) => !isBusy(result));
  // Each that was let in ran until its time was over, which is an answer; who waited for too long was told so.
  for (const result of served) expect(result).toMatchObject({ message: expect.stringMatching(/TIMEOUT_EXCEEDED/) as string });
  for (const { code, detail } of refused)
    expect({ code, retryAfterMs: detail.retryAfterMs }).toEqual({ code: 'UNAVAILABLE', retryAfterMs: 2000 });
  expect(results.length).toBe(crowd);
  // Whom nobody can serve hears it at once, before anybody else hears anything.
  expect(results.filter(isTurnedAway)).toHaveLength(crowd - waiting - running);
  expect(outcomes.slice(0, crowd - waiting - running).every(isTurnedAway)).toBe(true);
  expect(served.length).toBeGreaterThan(0);
  expect(pageMs).toBeLessThan(pageWithinMs);
  // Nothing is left of the crowd.
  expect(await readText(await store.query({ sql: 'SELECT 1' }))).toBe('1\n');
});

test('memory and results of one and of all together are bounded', async () => {
  const hungry = 'SELECT groupArray(repeat(toString(number), 100)) FROM numbers(100000000)';
  const large = 'SELECT repeat(toString(number), 1000) FROM numbers(10000000)';
  const asked = [hungry, hungry, hungry, hungry].map((sql) => outcome(store.query({ sql }).then(readText)));
  for (const result of await Promise.all(asked))
    expect(result).toMatchObject({ message: expect.stringMatching(/MEMORY_LIMIT_EXCEEDED/) as string });
  await expect(store.query({ sql: large, format: 'JSON' })).rejects.toThrow(
    /TOO_MANY_ROWS_OR_BYTES|Limit for result|MEMORY_LIMIT/,
  );
  await expect(store.query({ sql: 'SELECT 1 SETTINGS max_temporary_data_on_disk_size_for_query = 0' })).rejects.toThrow(/Code: /);
  expect(await store.runs()).toEqual([]);
});
