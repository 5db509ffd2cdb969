import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { startCollector, type TestCollector } from './testing/start-collector.js';
import { attach, Talk, type Attached } from './testing/talk.js';

const environment = { STAGEWATCH_LOST_AFTER_MS: '200' };
let service: TestCollector;
afterEach(() => service.remove());

const said = async (run: Attached): Promise<string[]> =>
  (await service.records()).filter(({ message }) => message.subject === run.runId).map(({ message }) => message.id);

async function until(run: Attached, id: string): Promise<string[]> {
  for (;;) {
    const ids = await said(run);
    if (ids.includes(id)) return ids;
    await wait(20);
  }
}

it('presence - silence is reported once, and its end before the record that ended it', async () => {
  service = await startCollector({ environment });
  const run = await attach(service.client());
  const talk = new Talk(service.client(), run).send({ sequence: 1, step: 9, heartbeat: {} });
  await until(run, 'lost.1.0.1');
  await wait(300);
  await talk.send({ sequence: 2, step: 10, heartbeat: {} }).untilAcknowledged(2);
  expect(await until(run, 'lost.1.0.2')).toEqual(['attach.1.0', '1.0.1', 'lost.1.0.1', 'returned.1.0.1', '1.0.2', 'lost.1.0.2']);
  const [first] = (await service.records()).filter(({ message }) => message.id === 'lost.1.0.1');
  expect(first!.envelope.presence).toMatchObject({ state: 'PRESENCE_STATE_LOST', step: 9 });
  expect(first!.envelope.presence!.silentMs).toBeGreaterThan(200);
});

it('presence - a run that ended is not lost, nor an attempt that was taken up', async () => {
  service = await startCollector({ environment });
  const ended = await attach(service.client());
  await new Talk(service.client(), ended).send({ sequence: 1, step: 1, end: { status: 'finished' } }).untilAcknowledged(1);
  const killed = await attach(service.client());
  const resumed = await attach(service.client(), { resumeRunId: killed.runId, runSecret: killed.runSecret });
  await until(resumed, 'lost.2.0.1');
  expect(await said(killed)).toEqual(['attach.1.0', 'attach.2.0', 'lost.2.0.1']);
  expect(await said(ended)).toEqual(['attach.1.0', '1.0.1']);
});

it('presence - goes on after a restart, without saying anything twice', async () => {
  service = await startCollector({ environment });
  const [lost, silent] = [await attach(service.client()), await attach(service.client())];
  await until(lost, 'lost.1.0.1');
  const { dataDir } = service;
  await service.stop();
  service = await startCollector({ environment, dataDir });
  expect(await until(silent, 'lost.1.0.1')).toEqual(['attach.1.0', 'lost.1.0.1']);
  await new Talk(service.client(), lost).until((answers) => answers.length > 0);
  expect(await until(lost, 'lost.1.0.2')).toEqual(['attach.1.0', 'lost.1.0.1', 'returned.1.0.1', 'lost.1.0.2']);
});

it('presence - a job that ended before the snapshots that it announced is waited for until they have come', async () => {
  service = await startCollector({ environment });
  const run = await attach(service.client());
  const talk = new Talk(service.client(), run);
  talk.send({ sequence: 1, step: 1, taken: { reason: 'cadence' } }).send({ sequence: 2, step: 1, taken: { reason: 'last' } });
  await talk.send({ sequence: 3, step: 1, end: { status: 'finished' } }).untilAcknowledged(3);
  expect(await until(run, 'lost.1.0.1')).toEqual(['attach.1.0', '1.0.1', '1.0.2', '1.0.3', 'lost.1.0.1']);
  const whole = await attach(service.client());
  const other = new Talk(service.client(), whole);
  other.send({ sequence: 1, step: 1, taken: { reason: 'cadence' } }).send({ sequence: 2, step: 1, end: { status: 'finished' } });
  await other.send({ sequence: 3, step: 1, gap: { snapshots: 1, reason: 'end', taken: [1] } }).untilAcknowledged(3);
  await wait(500);
  expect(await said(whole)).toEqual(['attach.1.0', '1.0.1', '1.0.2', '1.0.3']);
});
