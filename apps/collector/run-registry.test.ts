import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Bus } from '#bus/bus.js';
import { openLmdbBus } from '#bus/index.js';
import { codec } from '#wire/codec.js';
import type { AttachRunRequest } from '#wire/generated/messages.js';
import type { Identity } from './identity.js';
import { buckets } from './run-buckets.js';
import { RunRegistry, type Attachment } from './run-registry.js';

const hourMs = 3_600_000;
const lostAfterMs = 45_000;
let folder: string;
let bus: Bus;
let nowMs: number;
let registry: RunRegistry;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'stagewatch-registry-'));
  bus = await openLmdbBus({ path: folder });
  nowMs = 0;
  registry = new RunRegistry({ bus, lostAfterMs, now: () => nowMs });
});
afterEach(async () => {
  await bus.close();
  rmSync(folder, { recursive: true, force: true });
});

function attachment(instanceId: string, rest: Partial<AttachRunRequest> = {}): Promise<Attachment> {
  const { encode, decode } = codec('AttachRunRequest');
  return registry.attach({ ...decode(Buffer.from(encode({ name: 'n', instanceId }))), ...rest });
}

const attach = async (instanceId: string, rest?: Partial<AttachRunRequest>): Promise<Identity> =>
  (await attachment(instanceId, rest)).identity;

async function becomes(identity: Identity, change: Partial<Identity['state']>): Promise<void> {
  identity.state = { ...identity.state, ...change };
  await registry.save(identity);
}

it('writers of which nothing is expected leave the memory, and are the same when they come back', async () => {
  const [ended, lost, speaking] = [await attach('a'), await attach('b'), await attach('c')];
  const { identity: older, runSecret } = await attachment('d');
  const resumed = await attach('e', { resumeRunId: older.place.runId, runSecret });
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
  registry = new RunRegistry({ bus, lostAfterMs, now: () => nowMs });
  await registry.load();
  expect((await registry.all()).map(({ key }) => key)).toEqual([speaking.key]);
});

const refusedAs = (code: string): unknown => expect.objectContaining({ code });

it('a live run is taken up with its secret alone, however often it was taken up before', async () => {
  const { identity, runSecret } = await attachment('a');
  const { runId } = identity.place;
  nowMs = 15_000;
  await expect(attach('b', { resumeRunId: runId })).rejects.toMatchObject({
    code: 'RUN_TAKEN',
    detail: { field: 'run_secret', retryAfterMs: 30_000 },
  });
  await expect(attach('b', { resumeRunId: runId, joinAttempt: 1, rank: 3 })).rejects.toEqual(refusedAs('RUN_TAKEN'));
  for (const [instance, attempt] of [
    ['c', 2],
    ['d', 3],
  ] as const) {
    const again = await attachment(instance, { resumeRunId: runId, runSecret });
    expect(again).toMatchObject({ runSecret, identity: { place: { attempt } } });
    await expect(attach('b', { resumeRunId: runId })).rejects.toEqual(refusedAs('RUN_TAKEN'));
  }
  // The ranks of a job that resumes: one that has ended leaves the run live.
  const rank = await attachment('e', { resumeRunId: runId, joinAttempt: 3, rank: 1, runSecret });
  expect(rank.runSecret).toBe(runSecret);
  await becomes((await attachment('d')).identity, { ended: true });
  await expect(attach('b', { resumeRunId: runId })).rejects.toEqual(refusedAs('RUN_TAKEN'));
  await becomes(rank.identity, { ended: true });
  expect((await attach('b', { resumeRunId: runId })).place.attempt).toBe(4);
});

it('what a live run is asked with is durable, as a digest, and in no message', async () => {
  const { identity, runSecret } = await attachment('first-of-its-job');
  const { runId } = identity.place;
  registry = new RunRegistry({ bus, lostAfterMs, now: () => nowMs });
  await expect(attach('b', { resumeRunId: runId })).rejects.toEqual(refusedAs('RUN_TAKEN'));
  expect((await attachment('b', { resumeRunId: runId, runSecret })).runSecret).toBe(runSecret);
  const kept = Buffer.from((await bus.kv(buckets.runs).get(runId))!.value).toString();
  expect(kept).toContain('secrets');
  expect(kept).not.toContain(runSecret);
  for await (const message of bus.tail('records', { after: 0 })) {
    for (const proof of [runSecret, 'first-of-its-job']) expect(Buffer.from(message.body).includes(proof)).toBe(false);
    if (message.position >= (await bus.head('records'))) break;
  }
});

it('a process that asks again, since the answer was lost, gets one that counts, and so does a late answer', async () => {
  const [first, second] = [await attachment('a'), await attachment('a')];
  const resumeRunId = first.identity.place.runId;
  expect(second.runSecret).not.toBe(first.runSecret);
  expect((await attach('b', { resumeRunId, runSecret: first.runSecret })).place.attempt).toBe(2);
  expect((await attach('c', { resumeRunId, runSecret: second.runSecret })).place.attempt).toBe(3);
  // Of an attempt that is over nobody gets the newest one's.
  expect((await attachment('a')).runSecret).toBe('');
  for (let i = 0; i < 10; i++) await attachment('c');
  await expect(attach('d', { resumeRunId, runSecret: first.runSecret })).rejects.toEqual(refusedAs('RUN_TAKEN'));
});

it('a job may bring a secret that all its ranks know', async () => {
  const runSecret = 'known-to-every-rank-of-one-launcher';
  const first = await attachment('a', { runSecret });
  expect(first.runSecret).toBe(runSecret);
  const join = { resumeRunId: first.identity.place.runId, joinAttempt: 1, rank: 1 };
  expect((await attachment('b', { ...join, runSecret })).identity.place.rank).toBe(1);
});

it.each(['ended', 'lost'] as const)('a run that is %s is the next one’s, and not its former job’s any more', async (state) => {
  const { identity, runSecret } = await attachment('a');
  const { runId } = identity.place;
  await becomes(identity, { [state]: true });
  const next = await attachment('b', { resumeRunId: runId });
  expect(next.runSecret).not.toBe(runSecret);
  await expect(attach('c', { resumeRunId: runId, runSecret })).rejects.toEqual(refusedAs('RUN_TAKEN'));
  expect((await attach('c', { resumeRunId: runId, runSecret: next.runSecret })).place.attempt).toBe(3);
});

it('a run of before there were secrets is taken up as it was, and has one from then on', async () => {
  const { identity } = await attachment('a');
  const { runId } = identity.place;
  const runs = bus.kv(buckets.runs);
  const { secrets, ...before } = JSON.parse(Buffer.from((await runs.get(runId))!.value).toString()) as Record<string, unknown>;
  expect(secrets).toHaveLength(1);
  await runs.put(runId, Buffer.from(JSON.stringify(before)));
  const { runSecret } = await attachment('b', { resumeRunId: runId });
  expect(runSecret).not.toBe('');
  await expect(attach('c', { resumeRunId: runId })).rejects.toEqual(refusedAs('RUN_TAKEN'));
  expect((await attach('c', { resumeRunId: runId, runSecret })).place.attempt).toBe(3);
});
