/** What happens to the process of the database happens to it alone, and loses nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { openEmbeddedStore } from '#store/index.js';
import { ask, scalar } from '../contract/store-rows.js';
import { isRunning } from '../support/child-processes.js';
import { openEngineStore, type EngineStore } from '../support/engine-store.js';
import { eventually } from '../support/service-process.js';

/** On a machine that many share; a restart takes about half a second by itself. */
const withinMs = 60_000;

const rows = (from: number, count: number) => Array.from({ length: count }, (_, i) => scalar('r', from + i, i));
const restarts = async ({ metrics }: EngineStore): Promise<number> => (await metrics.engineRestarts.get()).values[0]?.value ?? 0;

async function answersAgain({ store }: EngineStore): Promise<void> {
  await eventually(
    () =>
      store
        .check()
        .then(() => store.runs())
        .then(
          () => true,
          () => false,
        ),
    (well) => well,
    withinMs,
  );
}

test('killed again and again under writers: every row is there once, and reads say at once that they cannot be had', async () => {
  const home = await openEngineStore();
  const { store, engine } = home;
  const total = 4000;
  const writing = (async () => {
    for (let from = 0; from < total; from += 50) {
      await Promise.all([store.write('scalars', rows(from, 50)), delay(20)]);
    }
  })();
  const kills = 4;
  for (let round = 0; round < kills; round++) {
    await delay(300);
    const before = engine.pid!;
    process.kill(before, 'SIGKILL');
    await eventually(
      () => Promise.resolve(existsSync(`/proc/${before}`)),
      (there) => !there,
    );
    const askedMs = performance.now();
    const read = await store.runs().then(
      () => 'answered',
      (error: { code?: string }) => error.code,
    );
    expect(['answered', 'UNAVAILABLE']).toContain(read);
    expect(performance.now() - askedMs).toBeLessThan(5000);
    await answersAgain(home);
    expect(engine.pid).not.toBe(before);
  }
  await writing;
  // Rows of the raw table, in which a batch that went in twice would lie twice.
  expect(await ask(store, 'SELECT count(), uniqExact(sequence) FROM scalars_raw')).toEqual([[`${total}`, `${total}`]]);
  expect(await restarts(home)).toBe(kills);
  await home.close();
});

test('SIGSEGV and a bomb of memory end that process alone', async () => {
  const home = await openEngineStore({ memoryBytes: 512 * 1024 ** 2 });
  process.kill(home.engine.pid!, 'SIGSEGV');
  await eventually(
    () => restarts(home),
    (count) => count === 1,
    withinMs,
  );
  await answersAgain(home);
  const bomb = 'SELECT groupArray(repeat(toString(number), 1000)) FROM numbers(100000000)';
  await expect(home.store.query({ sql: bomb })).rejects.toThrow(/MEMORY_LIMIT_EXCEEDED|away|UNAVAILABLE/);
  await answersAgain(home);
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${home.engine.pid}/status`, 'utf8'))![1]) * 1024;
  expect(rss).toBeLessThan(2 * 1024 ** 3);
  await home.close();
});

test('closing while it is away ends, and what could not be written says so', async () => {
  const home = await openEngineStore();
  process.kill(home.engine.pid!, 'SIGKILL');
  await eventually(
    () =>
      home.store.runs().then(
        () => false,
        () => true,
      ),
    (away) => away,
  );
  const writing = home.store.write('scalars', rows(0, 1)).then(
    () => 'written',
    (error: { code?: string }) => error.code,
  );
  await home.close();
  expect(['written', 'UNAVAILABLE']).toContain(await writing);
  expect(home.engine.pid === undefined || !existsSync(`/proc/${home.engine.pid}`)).toBe(true);
});

test('kill -9 of whoever started it takes it along, and the next one has the folder to itself', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stagewatch-orphan-'));
  const path = join(folder, 'clickhouse');
  const index = pathToFileURL(join(packageRoot, 'dist/libs/store/index.js')).href;
  const code = `
    import { openEmbeddedStore } from '${index}';
    const store = await openEmbeddedStore({ path: ${JSON.stringify(path)} });
    void (await store.query({ sql: 'SELECT count() FROM numbers(1e13) WHERE NOT ignore(number)' }).catch(() => undefined));`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'inherit', 'inherit'] });
  const children = (): readonly string[] =>
    readFileSync(`/proc/${owner.pid}/task/${owner.pid}/children`, 'utf8')
      .split(' ')
      .filter((pid) => pid !== '');
  const [child] = await eventually(
    () => Promise.resolve(existsSync(join(path, 'metadata', 'stagewatch.sql')) ? children() : []),
    (found) => found.length > 0,
  );
  await delay(1500);
  owner.kill('SIGKILL');
  await once(owner, 'exit');
  // At once, while the old one may still be ending.
  const store = await openEmbeddedStore({ path });
  expect(isRunning(Number(child))).toBe(false);
  await store.check();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a query of a stranger that is given up ends in the process', async () => {
  const home = await openEngineStore();
  const stopping = new AbortController();
  const endless = home.store.query({
    sql: 'SELECT count() FROM numbers(1e14) WHERE NOT ignore(number)',
    signal: stopping.signal,
  });
  setTimeout(() => stopping.abort(new Error('given up')), 500);
  await expect(endless).rejects.toThrow(/given up/);
  const cpu = (): number => {
    const stat = readFileSync(`/proc/${home.engine.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(stat[11]) + Number(stat[12])) * 10;
  };
  await eventually(
    async () => {
      const before = cpu();
      await delay(1000);
      return cpu() - before;
    },
    (usedMs) => usedMs < 300,
  );
  await home.close();
});

/** Where the system lets a process raise its threads again; elsewhere ClickHouse leaves all of them as they are. */
const mayRaise = process.platform === 'linux' && (capabilities() & (1n << 23n)) !== 0n;

test.runIf(mayRaise)(
  'threads that burn for a stranger stand behind those of the house, and are its own again afterwards',
  async () => {
    const home = await openEngineStore();
    const { store, engine } = home;
    const patient = (): number =>
      readdirSync(`/proc/${engine.pid}/task`).filter((thread) => niceness(engine.pid!, thread) === 10).length;
    const burning = store.query({
      sql: 'SELECT count() FROM numbers(1e13) WHERE NOT ignore(cityHash64(number))',
      maxSeconds: 3,
    });
    burning.catch(() => undefined);
    await eventually(
      async () => patient(),
      (count) => count > 0,
      withinMs,
    );
    await expect(burning).rejects.toThrow(/TIMEOUT_EXCEEDED/);
    await eventually(
      async () => patient(),
      (count) => count === 0,
      withinMs,
    );
    await home.close();
  },
);

function niceness(pid: number, thread: string): number {
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
}

function capabilities(): bigint {
  return BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'}`);
}
