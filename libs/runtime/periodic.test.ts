import { expect, it } from 'vitest';
import { createLogger } from './logging.js';
import { PeriodicTask } from './periodic.js';
import { sleep } from './retry.js';

const logger = createLogger({ level: 'silent' });

it('periodic - never two turns at a time, and an error does not end it', async () => {
  let running = 0;
  let most = 0;
  let turns = 0;
  const task = new PeriodicTask({ name: 'test', intervalMs: 1, logger }, async () => {
    most = Math.max(most, ++running);
    await sleep(2);
    running--;
    if (++turns === 2) throw new Error('once');
  });
  task.start();
  task.start();
  while (turns < 5) await sleep(1);
  await task.close();
  expect(most).toBe(1);
  const atClose = turns;
  await sleep(10);
  expect(turns).toBe(atClose);
});
