import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '#runtime/logging.js';
import { Reader, type ClickHouseClient } from '../clickhouse-client.js';
import { LedgerFile } from './ledger.js';
import { StoreHealth } from './store-health.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'stagewatch-health-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A database whose answer about what was set aside can be made to wait. */
class SlowDatabase extends Reader {
  parts = ['w_1_1_0', 'w_2_2_0'];
  gate: Promise<void> = Promise.resolve();
  asked = (): void => undefined;

  constructor() {
    super({} as ClickHouseClient);
  }

  override async rows(query: string): Promise<readonly (readonly unknown[])[]> {
    if (query.includes('system.parts')) return this.parts.map((name) => ['scalars_raw', name, 5]);
    this.asked();
    await this.gate;
    return [];
  }
}

test('what was looked at before an erasure is not remembered after it', async () => {
  const database = new SlowDatabase();
  const file = new LedgerFile(join(folder, 'ledger.json'));
  const start = () =>
    StoreHealth.start({ reader: database, file, logger: createLogger({ level: 'silent' }), acceptDataLoss: false });
  let open = (): void => undefined;
  const looking = new Promise<void>((resolve) => (database.asked = resolve));
  const starting = start();
  await looking;
  // The look at the start goes on; the next one, which follows at once, is held.
  const lookingAgain = new Promise<void>((resolve) => (database.asked = resolve));
  database.gate = new Promise((resolve) => (open = resolve));
  const health = await starting;
  await lookingAgain;
  await health.erasing(() => {
    database.parts = ['w_2_2_0'];
    return Promise.resolve();
  });
  open();
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(file.read()).toMatchObject({ erasing: false, parts: [{ name: 'w_2_2_0' }] });
  // As after a crash at this moment.
  const again = await start();
  again.check();
  await again.close();
  await health.close();
});
