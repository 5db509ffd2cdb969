import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { finish, take } from './bus-contract/fixture.js';

const mib = 1024 ** 2;
const logger = createLogger({ level: 'silent' });
let path: string;
let bus: Bus;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'stagewatch-bounds-'));
});
afterEach(async () => {
  await bus.close();
  rmSync(path, { recursive: true, force: true });
});

const fileBytes = (): number => statSync(join(path, 'bus.mdb')).size;

async function fill(stream: string, subject: string, count: number, bytes: number, from = 0): Promise<void> {
  for (let i = from; i < from + count; i += 20) {
    const messages = Array.from({ length: Math.min(20, from + count - i) }, (_, k) => ({
      subject,
      id: `${i + k}`,
      body: Buffer.alloc(bytes, 1),
    }));
    await bus.publish(stream, messages);
  }
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if (await holds()) return;
    await delay(50);
  }
  throw new Error('it never became so');
}

async function groupsNow(): Promise<object[]> {
  const list = bus.groups().map(async ({ group, ...rest }) => ({ ...rest, messages: (await group.depth()).messages }));
  return Promise.all(list);
}

async function keptBytes(stream: string): Promise<number> {
  const head = await bus.head(stream);
  let bytes = 0;
  for await (const message of bus.tail(stream, { after: 0 })) {
    bytes += message.body.length;
    if (message.position === head) break;
  }
  return bytes;
}

test('a recent stream is bounded in bytes, whatever the size of its messages, over a restart too', async () => {
  const streams = { live: { retention: 'recent', maxMessages: 20_000, maxBytes: 4 * mib } } as const;
  bus = await openLmdbBus({ path, streams });
  await fill('live', 'a', 400, 100_000);
  await eventually(async () => (await keptBytes('live')) <= 4.5 * mib);
  await bus.close();
  bus = await openLmdbBus({ path, streams });
  await fill('live', 'b', 200, 100_000);
  await eventually(async () => (await keptBytes('live')) <= 4.5 * mib);
  // A deleted subject does not count any more.
  await bus.deleteSubject('b');
  await fill('live', 'c', 30, 100_000);
  expect(await keptBytes('live')).toBe(30 * 100_000);
  await fill('live', 'd', 1, 6 * mib);
  await eventually(async () => (await keptBytes('live')) === 6 * mib);
});

test('what comes and goes does not make the file grow, and after a backlog the file is made small at the next start', async () => {
  bus = await openLmdbBus({ path, idWindow: 100, logger });
  const group = await bus.group('records', 'g');
  const round = async (n: number): Promise<number> => {
    await fill('records', 'a', 200, 20_000, n * 200);
    await finish(group, 'state');
    return fileBytes();
  };
  let settled = 0;
  for (let n = 0; n < 10; n++) settled = await round(n);
  for (let n = 10; n < 40; n++) await round(n);
  expect(fileBytes()).toBeLessThanOrEqual(settled * 1.25);

  await fill('records', 'a', 8000, 20_000, 100_000);
  await finish(group, 'state');
  const large = fileBytes();
  expect(large).toBeGreaterThan(150 * mib);
  await bus.close();
  bus = await openLmdbBus({ path, idWindow: 100, logger });
  expect(fileBytes()).toBeLessThan(large / 10);
  const again = await bus.group('records', 'g');
  expect(Buffer.from((await again.state('a'))!).toString()).toBe('state');
  const [known] = await bus.publish('records', [{ subject: 'a', id: '107999', body: Buffer.alloc(1) }]);
  expect(known!.duplicate).toBe(true);
});

test('dead letters are bounded in bytes; the oldest go, and their number is told', async () => {
  const metrics = new Metrics();
  const open = (): Promise<Bus> => openLmdbBus({ path, logger, metrics, maxDeadLetterBytes: 2 * mib });
  bus = await open();
  const group = await bus.group('records', 'g');
  await fill('records', 'a', 100, 50_000);
  const lease = await take(group, { maxMessages: 100, maxBytes: 100 * mib });
  for (const message of lease.messages) await lease.reject(message.position, 'no good');
  await lease.release();
  expect(await group.deadLetters()).toHaveLength(100);
  await bus.close();
  bus = await open();
  const after = await bus.group('records', 'g');
  await eventually(async () => (await after.deadLetters()).length < 100);
  const left = await after.deadLetters();
  expect(left.length).toBeGreaterThan(30);
  expect(left.length * 50_000).toBeLessThanOrEqual(2 * mib);
  expect(left.at(-1)!.message.id).toBe('99');
  const text = await metrics.registry.getSingleMetricAsString('stagewatch_dead_letters_dropped_total');
  expect(text).toContain(`stagewatch_dead_letters_dropped_total ${100 - left.length}`);
});

test('known ids are bounded over all subjects: those that have been silent for the longest forget first', async () => {
  const open = (maxKnownIds: number): Promise<Bus> => openLmdbBus({ path, logger, maxKnownIds });
  bus = await open(1000);
  const group = await bus.group('records', 'g');
  for (let subject = 0; subject < 30; subject++) await fill('records', `r${subject}`, 100, 10);
  await finish(group);
  const isKnown = async (subject: string): Promise<boolean> =>
    (await bus.publish('records', [{ subject, id: '99', body: Buffer.alloc(10) }]))[0]!.duplicate;
  expect(await isKnown('r29')).toBe(true);
  await bus.close();
  bus = await open(1000);
  await bus.group('records', 'g');
  await eventually(async () => !(await isKnown('r10')));
  expect(await isKnown('r29')).toBe(true);
  expect(await isKnown('r24')).toBe(true);
  expect(await isKnown('r0')).toBe(false);
});

test('a group that is gone can be removed, and what only it held back goes with it', async () => {
  bus = await openLmdbBus({ path, logger });
  const stays = await bus.group('records', 'stays');
  await bus.group('records', 'gone');
  await fill('records', 'a', 5000, 100);
  await finish(stays);
  await fill('records', 'b', 10, 100);
  await expect(bus.removeGroup('records', 'gone')).rejects.toThrow(/at work/);
  await bus.close();
  bus = await openLmdbBus({ path, logger });
  await bus.group('records', 'stays');
  expect(await groupsNow()).toEqual(
    expect.arrayContaining([
      { stream: 'records', name: 'stays', messages: 10, atWork: true },
      { stream: 'records', name: 'gone', messages: 5010, atWork: false },
    ]),
  );
  expect(await bus.removeGroup('records', 'gone')).toBe(true);
  expect(await bus.removeGroup('records', 'gone')).toBe(false);
  expect(await bus.floor('records')).toBe(5000);
  await bus.close();
  bus = await openLmdbBus({ path, logger });
  expect(await groupsNow()).toEqual([{ stream: 'records', name: 'stays', messages: 10, atWork: false }]);
});
