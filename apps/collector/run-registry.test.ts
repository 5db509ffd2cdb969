import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { codec } from '#wire/codec.js';
import type { AttachRunRequest } from '#wire/generated/messages.js';
import type { Identity } from './identity.js';
import { RunRegistry } from './run-registry.js';

const hourMs = 3_600_000;
let folder: string;
let bus: Bus;
let nowMs: number;
let registry: RunRegistry;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-registry-'));
  bus = await openLmdbBus({ path: folder });
  nowMs = 0;
  registry = new RunRegistry({ bus, now: () => nowMs });
});
afterEach(async () => {
  await bus.close();
  rmSync(folder, { recursive: true, force: true });
});

function attach(instanceId: string, rest: Partial<AttachRunRequest> = {}): Promise<Identity> {
  const { encode, decode } = codec('AttachRunRequest');
  return registry.attach({ ...decode(Buffer.from(encode({ name: 'n', instanceId }))), ...rest });
}

async function becomes(identity: Identity, change: Partial<Identity['state']>): Promise<void> {
  identity.state = { ...identity.state, ...change };
  await registry.save(identity);
}

it('writers of which nothing is expected leave the memory, and are the same when they come back', async () => {
  const [ended, lost, speaking] = [await attach('a'), await attach('b'), await attach('c')];
  const older = await attach('d');
  const resumed = await attach('e', { resumeRunId: older.place.runId });
  await becomes(ended, { ended: true });
  await becomes(lost, { lost: true, nextSequence: 7 });
  expect(older.outdated).toBe(true);
  for (const identity of await registry.all()) registry.release(identity);
  // One that was asked for just now may be about to open its stream.
  expect(await registry.all()).toHaveLength(5);
  nowMs = hourMs;
  for (const identity of await registry.all()) registry.release(identity);
  expect((await registry.all()).map(({ key }) => key).toSorted()).toEqual([speaking.key, resumed.key].toSorted());
  const back = await registry.authorize({ ...lost.place, instanceId: 'b' });
  expect(back.state).toMatchObject({ lost: true, nextSequence: 7 });
  expect((await registry.authorize({ ...older.place, instanceId: 'd' })).outdated).toBe(true);
});

it('a start loads only the writers that may still speak', async () => {
  await becomes(await attach('a'), { ended: true });
  await becomes(await attach('b'), { lost: true });
  const speaking = await attach('c');
  registry = new RunRegistry({ bus, now: () => nowMs });
  await registry.load();
  expect((await registry.all()).map(({ key }) => key)).toEqual([speaking.key]);
});
