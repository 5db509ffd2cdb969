import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLmdbBus } from '../open.js';
import { inspectFile } from './inspect.js';

const folder = mkdtempSync(join(tmpdir(), 'stagewatch-inspect-'));
const path = join(folder, 'bus.mdb');
const pageBytes = 4096;
let whole: Buffer;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A generator of its own, so that a failure can be repeated. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
}

async function churn(seed: number): Promise<void> {
  const next = numbers(seed);
  const upTo = (n: number): number => Math.floor(next() * n);
  const bus = await openLmdbBus({ path: folder, idWindow: 200, reserveBytes: 0 });
  const groups = [await bus.group('records', 'a'), await bus.group('records', 'b')];
  for (let i = 0; i < 40; i++) {
    const messages = Array.from({ length: 1 + upTo(80) }, (_, k) => ({
      subject: `r${upTo(20)}`,
      id: `${seed}.${i}.${k}`,
      body: Buffer.alloc(next() < 0.05 ? upTo(40_000) : upTo(600), i),
    }));
    await bus.publish(next() < 0.8 ? 'records' : 'live', messages);
    await bus.kv('values').put(`k${upTo(50)}`, Buffer.alloc(upTo(9000)));
    for (const group of groups) {
      const lease = await group.take({ maxMessages: 150, maxBytes: 1e7, waitMs: 0 });
      await lease?.commit(lease.messages.at(-1)!.position, Buffer.alloc(upTo(5000)));
      await lease?.release();
    }
    if (next() < 0.1) await bus.deleteSubject(`r${upTo(20)}`);
  }
  await bus.close();
}

beforeAll(async () => {
  for (const seed of [1, 2, 3]) await churn(seed);
  whole = readFileSync(path);
});

test('of a file that was much used every page is either used or free: nothing is left over, nothing is counted twice', async () => {
  const report = await inspectFile(path);
  expect(report).toMatchObject({ damage: undefined });
  expect(report!.usedBytes + report!.freeBytes).toBe(report!.bytes);
  expect(report!.freeBytes).toBeGreaterThan(0);
});

async function damageOf(change: (bytes: Buffer) => Buffer | undefined): Promise<string | undefined> {
  const bytes = Buffer.from(whole);
  const other = join(folder, 'changed.mdb');
  writeFileSync(other, change(bytes) ?? bytes);
  return (await inspectFile(other))?.damage;
}

test('a file that is not there is no damage', async () => {
  expect(await inspectFile(join(folder, 'nothing.mdb'))).toBeUndefined();
});

test('a file that was cut is seen wherever the cut is', async () => {
  for (const share of [0, 0.001, 0.1, 0.5, 0.9]) {
    expect(await damageOf((bytes) => bytes.subarray(0, bytes.length * share)), `${share} of the file`).toBeDefined();
  }
});

test('zeros and noise in the place of a page are seen, for every page that is used', async () => {
  const next = numbers(7);
  const used = new Map<number, number>();
  for (let page = 0; page * pageBytes < whole.length; page += 29) {
    const noise = Buffer.from(Array.from({ length: pageBytes }, () => Math.floor(next() * 256)));
    const seen = [
      await damageOf((bytes) => void bytes.fill(0, page * pageBytes, (page + 1) * pageBytes)),
      await damageOf((bytes) => void noise.copy(bytes, page * pageBytes)),
    ];
    used.set(page, seen.filter((damage) => damage !== undefined).length);
  }
  // Free pages and what lies within large values hold nothing that LMDB follows.
  const followed = [...used.values()].filter((count) => count > 0);
  expect(followed.every((count) => count === 2)).toBe(true);
  expect(followed.length).toBeGreaterThan(used.size / 4);
});

test('a page number that points elsewhere is seen', async () => {
  const seen: string[] = [];
  // Among them are pages that were freed, which nobody looks at.
  for (const branch of branchPages()) {
    const entry = branch * pageBytes + 24 + whole.readUInt16LE(branch * pageBytes + 24);
    for (const target of [0x7fffffff, branch]) {
      const damage = await damageOf((bytes) => void bytes.writeUInt32LE(target, entry));
      if (damage !== undefined) seen.push(damage);
    }
  }
  expect(seen.filter((damage) => damage.includes('which does not exist')).length).toBeGreaterThan(0);
  expect(seen.filter((damage) => damage.includes('which has another use')).length).toBeGreaterThan(0);
});

function branchPages(): number[] {
  const pages = Array.from({ length: whole.length / pageBytes }, (_, page) => page);
  return pages.filter((page) => whole.readUInt32LE(page * pageBytes) === page && whole.readUInt16LE(page * pageBytes + 18) === 1);
}
