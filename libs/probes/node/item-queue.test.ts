import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ItemQueue, type ItemQueueOptions } from './item-queue.js';
import type { Item } from './item.js';

const item = (step: number, bytes = 1000): Item => ({ kind: 'record', step, points: 1, bytes: Buffer.alloc(bytes, step) });
const snapshot = (step: number): Item => ({
  kind: 'snapshot',
  step,
  key: `s${step}`,
  bytes: Buffer.alloc(5000, step),
  layout: [{ name: 'w', dtype: 'float32', shape: [1250], offset: 0, bytes: 5000 }],
  learningRate: 0.1,
  reason: 'cadence',
});

describe('item queue', () => {
  let folder = '';
  let queue: ItemQueue;
  const open = (options: Partial<ItemQueueOptions> = {}): ItemQueue =>
    (queue = new ItemQueue({
      memoryBytes: 20_000,
      spoolBytes: 1e6,
      spoolFolder: folder,
      ...options,
    }));
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'queue-'));
  });
  afterEach(async () => {
    await queue.close();
    rmSync(folder, { recursive: true });
  });

  const drain = async (): Promise<Item[]> => {
    const items: Item[] = [];
    for (let next = await queue.shift(); next !== undefined; next = await queue.shift()) items.push(next);
    return items;
  };
  const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

  it('keeps the order over memory and disk, and gives back what it was given', async () => {
    open();
    const given: Item[] = [];
    const taken: (Item | undefined)[] = [];
    for (let step = 0; step < 200; step++) {
      const next = step % 10 === 3 ? snapshot(step) : item(step);
      while (!queue.push(next)) await turn();
      given.push(next);
      if (step % 25 === 24) taken.push(await queue.shift());
      // What comes back from disk is a quarter of it, and an item, on top.
      expect(queue.memoryBytes).toBeLessThanOrEqual(20_000 * 1.25 + 6000);
    }
    expect(queue.spooledBytes).toBeGreaterThan(0);
    expect([...taken, ...(await drain())]).toEqual(given);
    expect([queue.length, queue.memoryBytes, queue.spooledBytes]).toEqual([0, 0, 0]);
  });

  it('leaves no file behind, whatever becomes of the process', async () => {
    open();
    for (let step = 0; step < 12; step++) queue.push(item(step));
    while (queue.spooledBytes === 0) await turn();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses what fits neither in memory nor on disk, and keeps what it has taken', async () => {
    open({ spoolBytes: 0 });
    const taken = Array.from({ length: 30 }, (_, step) => queue.push(item(step))).filter(Boolean).length;
    expect(taken).toBe(15);
    expect((await drain()).length).toBe(15);

    await queue.close();
    open({ spoolBytes: 10_000 });
    let refused = 0;
    for (let step = 0; step < 60; step++) {
      if (!queue.push(item(step))) refused++;
      await turn();
    }
    const steps = (await drain()).map(({ step }) => step);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.length + refused).toBe(60);
    expect(steps.length).toBe(9 + 15);
    expect(queue.bound).toBe('spool');
  });

  it('goes on in memory where the folder cannot be written to', async () => {
    open({ spoolFolder: join(folder, 'missing') });
    let accepted = 0;
    for (let step = 0; step < 30; step++) {
      if (queue.push(item(step))) accepted++;
      await turn();
    }
    expect(accepted).toBe(15);
    expect((await drain()).length).toBe(accepted);
  });
});
