import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { BusFull, type Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { leftOut } from '../support/needs.js';

const folder = mkdtempSync(join(tmpdir(), 'stagewatch-full-'));
const mounts: string[] = [];

function smallDisk(mib: number): string | undefined {
  const path = mkdtempSync(join(folder, 'disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mib}m`, 'tmpfs', path], { stdio: 'ignore' });
  } catch {
    leftOut('a full disk under the bus', 'the right to mount a tmpfs');
    return undefined;
  }
  mounts.push(path);
  return path;
}

afterAll(() => {
  for (const path of mounts) execFileSync('umount', [path]);
  rmSync(folder, { recursive: true, force: true });
});

const body = Buffer.alloc(10_000, 3);
const call = (n: number) => Array.from({ length: 20 }, (_, k) => ({ subject: 'a', id: `${n}.${k}`, body }));

/** Publishes until it is refused; answers how many calls were acknowledged. */
async function fill(bus: Bus, from: number): Promise<{ readonly calls: number; readonly error: unknown }> {
  for (let n = from; ; n++) {
    try {
      await bus.publish('records', call(n));
    } catch (error) {
      return { calls: n, error };
    }
  }
}

async function publishWhenPossible(bus: Bus, n: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await bus.publish('records', call(n));
      return;
    } catch (error) {
      if (tries > 50 || !(error instanceof BusFull)) throw error;
      await delay(50);
    }
  }
}

async function idsInOrder(bus: Bus): Promise<string[]> {
  const head = await bus.head('records');
  const found: string[] = [];
  for await (const message of bus.tail('records', { after: 0 })) {
    found.push(message.id);
    if (message.position === head) break;
  }
  return found;
}

const expected = (calls: number) => Array.from({ length: calls }, (_, n) => call(n).map((message) => message.id)).flat();

test('a full disk refuses publishing, stores nothing half, and everything goes on when there is space again', async ({
  skip,
}) => {
  const disk = smallDisk(24);
  if (disk === undefined) {
    skip('a tmpfs cannot be mounted here');
    return;
  }
  const path = join(disk, 'bus');
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(8 * 1024 * 1024));
  let bus = await openLmdbBus({ path, reserveBytes: 0 });
  await bus.group('records', 'g');
  const { calls, error } = await fill(bus, 0);
  expect(error).toBeInstanceOf(BusFull);
  expect(calls).toBeGreaterThan(5);
  expect(await idsInOrder(bus)).toEqual(expected(calls));
  rmSync(ballast);
  await publishWhenPossible(bus, calls);
  expect(await idsInOrder(bus)).toEqual(expected(calls + 1));
  await bus.close();
  bus = await openLmdbBus({ path, reserveBytes: 0 });
  expect(await idsInOrder(bus)).toEqual(expected(calls + 1));
  await bus.close();
});

test('with a reserve, work that is published can be finished on a disk that is full for publishers', async ({ skip }) => {
  const disk = smallDisk(48);
  if (disk === undefined) {
    skip('a tmpfs cannot be mounted here');
    return;
  }
  const bus = await openLmdbBus({ path: join(disk, 'bus'), reserveBytes: 16 * 1024 * 1024 });
  const group = await bus.group('records', 'g');
  const { calls, error } = await fill(bus, 0);
  expect(error).toBeInstanceOf(BusFull);
  await expect(bus.check()).rejects.toBeInstanceOf(BusFull);
  let finished = 0;
  for (;;) {
    const lease = await group.take({ maxMessages: 50, maxBytes: 10_000_000, waitMs: 0 });
    if (lease === undefined) break;
    finished += lease.messages.length;
    await lease.commit(lease.messages.at(-1)!.position, body);
    await lease.release();
  }
  expect(finished).toBe(calls * 20);
  await bus.close();
});
