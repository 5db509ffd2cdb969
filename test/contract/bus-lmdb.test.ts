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
  const [again] = await bus.publish('records', [{ subject: 'gone', id: '1', body: Buffer.alloc(10) }]);
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
