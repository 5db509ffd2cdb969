import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openLmdbBus } from '#bus/index.js';
import { busContract } from './bus-contract.js';

busContract({
  name: 'LMDB',
  create: async (streams) => {
    const path = await mkdtemp(join(tmpdir(), 'stagewatch-bus-'));
    return {
      open: () => openLmdbBus({ path, streams }),
      leave: (bus) => bus.close(),
      destroy: () => rm(path, { recursive: true, force: true }),
    };
  },
});

test('LMDB - a deletion that was cut off is hidden at once and finished at the next start', async () => {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-bus-'));
  let bus = await openLmdbBus({ path });
  const many = Array.from({ length: 9000 }, (_, i) => ({ subject: 'gone', id: `${i}`, body: Buffer.alloc(10) }));
  await bus.publish('records', many);
  await bus.publish('records', [{ subject: 'stays', id: '1', body: Buffer.from('x') }]);
  const deleting = bus.deleteSubject('gone').catch((error: unknown) => error);
  await bus.close();
  expect(await deleting).toMatchObject({ message: 'the bus is closed' });
  bus = await openLmdbBus({ path });
  const [again] = await bus.publish('records', [{ subject: 'gone', id: '8999', body: Buffer.alloc(10) }]);
  expect(again!.duplicate).toBe(false);
  for (let tries = 0; tries < 200 && (await bus.floor('records')) < 9000; tries++) await delay(20);
  expect(await bus.floor('records')).toBe(9000);
  await bus.close();
  await rm(path, { recursive: true, force: true });
});

test('LMDB - after close every call is refused', async () => {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-bus-'));
  const bus = await openLmdbBus({ path });
  const group = await bus.group('records', 'g');
  const kv = bus.kv('bucket');
  await bus.publish('records', [{ subject: 'a', id: '1', body: Buffer.from('x') }]);
  const lease = (await group.take({ maxMessages: 1, maxBytes: 1, waitMs: 0 }))!;
  await bus.close();
  await bus.close();
  const calls: (() => Promise<unknown>)[] = [
    () => kv.get('k'),
    () => kv.put('k', Buffer.from('x')),
    () => kv.delete('k'),
    () => group.state('a'),
    () => group.depth(),
    () => group.deadLetters(),
    () => group.take({ maxMessages: 1, maxBytes: 1, waitMs: 0 }),
    () => lease.commit(1),
    () => bus.floor('records'),
    () => bus.group('records', 'h'),
    () => bus.deleteSubject('a'),
  ];
  for (const call of calls) await expect(call()).rejects.toThrow(/closed/);
  await rm(path, { recursive: true, force: true });
});

test('LMDB - of finished messages a bounded number of ids stays known, over restarts', async () => {
  const path = await mkdtemp(join(tmpdir(), 'stagewatch-bus-'));
  const open = () => openLmdbBus({ path, idWindow: 40 });
  let bus = await open();
  const send = (i: number) => bus.publish('records', [{ subject: 'a', id: `${i}`, body: Buffer.alloc(10) }]);
  for (let round = 0; round < 10; round++) {
    const group = await bus.group('records', 'g');
    for (let i = 0; i < 20; i++) await send(round * 20 + i);
    const lease = (await group.take({ maxMessages: 100, maxBytes: 10_000, waitMs: 0 }))!;
    await lease.commit(lease.messages.at(-1)!.position);
    await lease.release();
    await bus.close();
    bus = await open();
  }
  const isKnown = async (i: number) => (await send(i))[0]!.duplicate;
  for (const i of [160, 180, 199]) expect(await isKnown(i)).toBe(true);
  for (const i of [0, 50, 140]) expect(await isKnown(i)).toBe(false);
  await bus.close();
  await rm(path, { recursive: true, force: true });
});
