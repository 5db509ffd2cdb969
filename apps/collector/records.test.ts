import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IngestClient } from '#wire/client.js';
import type { Record as WireRecord } from '#wire/generated/messages.js';
import type { Input } from '#wire/codec.js';
import { startCollector, type TestCollector } from './testing/start-collector.js';
import { attach, Talk } from './testing/talk.js';

const scalar = (sequence: number, step = sequence, value = step): Input<WireRecord> => ({
  sequence,
  step,
  scalars: { names: ['loss.train'], nameIndex: [0], steps: [step], values: [value] },
});

describe('streaming records', () => {
  let service: TestCollector;
  let client: IngestClient;
  beforeAll(async () => {
    service = await startCollector();
    client = service.client();
  });
  afterAll(() => service.remove());

  const of = async (runId: string): Promise<string[]> =>
    (await service.records()).filter(({ message }) => message.subject === runId).map(({ message }) => message.id);

  it('acknowledges what is durable, NaN and infinities as they are', async () => {
    const run = await attach(client, { name: 'first', optimizer: { name: 'sgd', learningRate: 0.1 } });
    expect(run).toMatchObject({ attempt: 1, nextSequence: 1, limits: { nameBytes: 200 } });
    const talk = new Talk(client, run).send(scalar(1, 1, Number.NaN), scalar(2, 2, Number.NEGATIVE_INFINITY));
    await talk.untilAcknowledged(2);
    expect(talk.answers[0]?.welcome).toMatchObject({ nextSequence: 1 });
    expect(talk.answers[0]!.welcome!.creditBytes).toBeGreaterThan(0);
    const bodies = (await service.records()).filter(({ message }) => message.subject === run.runId);
    expect(bodies.map(({ message }) => message.id)).toEqual(['attach.1.0', '1.0.1', '1.0.2']);
    expect(bodies.map(({ envelope }) => envelope.record?.scalars?.values)).toEqual([
      undefined,
      [Number.NaN],
      [Number.NEGATIVE_INFINITY],
    ]);
    expect(bodies[0]!.envelope).toMatchObject({ body: 'attached', attempt: 1, attached: { name: 'first', project: 'default' } });
    expect(await talk.end()).toBeUndefined();
  });

  it('stores what is sent twice once, and goes on where it was', async () => {
    const run = await attach(client);
    await new Talk(client, run).send(scalar(1), scalar(2)).untilAcknowledged(2);
    const again = new Talk(client, run).send(scalar(1), scalar(2));
    await again.untilAcknowledged(2);
    expect(again.answers[0]?.welcome?.nextSequence).toBe(3);
    await again.send(scalar(2 + 1)).untilAcknowledged(3);
    expect(await of(run.runId)).toEqual(['attach.1.0', '1.0.1', '1.0.2', '1.0.3']);
    expect((await attach(client, { instanceId: run.instanceId })).nextSequence).toBe(4);
  });

  it('ends the older stream of a process that connects anew', async () => {
    const run = await attach(client);
    const old = await new Talk(client, run).send(scalar(1)).untilAcknowledged(1);
    const fresh = new Talk(client, run);
    expect(await old.ended).toMatchObject({ code: 'IDENTITY_IN_USE' });
    await fresh.send(scalar(2)).untilAcknowledged(2);
  });

  it('reports sequences that are missing, unless a gap record accounts for them', async () => {
    const run = await attach(client);
    await new Talk(client, run)
      .send(
        scalar(1),
        { sequence: 4, step: 4, gap: { firstSequence: 2, lastSequence: 3, points: 9, reason: 'memory' } },
        scalar(7),
      )
      .untilAcknowledged(7);
    expect(await of(run.runId)).toEqual(['attach.1.0', '1.0.1', '1.0.4', 'gap.1.0.5-6', '1.0.7']);
    const reported = (await service.records()).find(({ message }) => message.id === 'gap.1.0.5-6');
    expect(reported?.envelope.sequenceGap).toEqual({ firstSequence: 5, lastSequence: 6, step: 7 });
  });

  it('keeps the order over many messages, with more in flight than the credit', async () => {
    const run = await attach(client);
    const talk = new Talk(client, run);
    const count = 5000;
    for (let from = 1; from <= count; from += 50) talk.send(...Array.from({ length: 50 }, (_, i) => scalar(from + i)));
    await talk.untilAcknowledged(count);
    const ids = (await of(run.runId)).slice(1);
    expect(ids).toEqual(Array.from({ length: count }, (_, i) => `1.0.${i + 1}`));
  });

  it('takes up a run as its next attempt, and another process as a further rank', async () => {
    const first = await attach(client);
    const { runSecret } = first;
    await new Talk(client, first).send(scalar(1, 50)).untilAcknowledged(1);
    const second = await attach(client, { resumeRunId: first.runId, runSecret });
    expect(second).toMatchObject({ runId: first.runId, attempt: 2, nextSequence: 1 });
    const joined = await attach(client, { resumeRunId: first.runId, runSecret, joinAttempt: 2, rank: 1 });
    expect(joined).toMatchObject({ runId: first.runId, attempt: 2 });
    // A new attempt may begin at an earlier step.
    await new Talk(client, second).send(scalar(1, 3)).untilAcknowledged(1);
    await new Talk(client, joined).send(scalar(1, 3)).untilAcknowledged(1);
    expect(await of(first.runId)).toEqual(['attach.1.0', '1.0.1', 'attach.2.0', 'attach.2.1', '2.0.1', '2.1.1']);
  });

  it('makes two runs of two jobs with one name, and one of one job that asks twice', async () => {
    const [one, two] = [await attach(client, { name: 'same' }), await attach(client, { name: 'same' })];
    expect(one.runId).not.toBe(two.runId);
    const [again, andAgain] = await Promise.all([
      attach(client, { name: 'same', instanceId: 'twice' }),
      attach(client, { name: 'same', instanceId: 'twice' }),
    ]);
    expect(again.runId).toBe(andAgain.runId);
    expect((await of(again.runId)).length).toBe(1);
  });

  it('forwards wishes, also standing ones to a stream that opens later', async () => {
    const run = await attach(client);
    const talk = new Talk(client, run);
    await talk.until((answers) => answers.length > 0);
    const wish = (body: object, id: string) =>
      service.bus.publish('control', [{ subject: run.runId, id, body: Buffer.from(JSON.stringify(body)) }]);
    await wish({ kind: 'snapshot-now', reason: 'look' }, 'a');
    await wish({ kind: 'cadence', fromStep: 10, everySteps: 5, factor: 1.05 }, 'b');
    await talk.until((answers) => answers.filter(({ control }) => control).length === 2);
    const wishes = talk.answers.flatMap(({ control }) => (control ? [control] : []));
    expect(wishes).toMatchObject([
      { wish: 'snapshotNow', snapshotNow: { reason: 'look' } },
      { wish: 'cadence', cadence: { fromStep: 10, everySteps: 5, factor: 1.05 } },
    ]);
    const later = await new Talk(client, run).until((answers) => answers.some(({ control }) => control));
    expect(later.answers.flatMap(({ control }) => (control ? [control.wish] : []))).toEqual(['cadence']);
  });

  it('knows everything after a restart, and forgets a deleted run', async () => {
    let other = await startCollector();
    const run = await attach(other.client());
    await new Talk(other.client(), run).send(scalar(1), scalar(2)).untilAcknowledged(2);
    await other.stop();
    other = await startCollector({ dataDir: other.dataDir });
    const talk = new Talk(other.client(), run);
    await talk.send(scalar(2), scalar(3)).untilAcknowledged(3);
    expect(talk.answers[0]?.welcome?.nextSequence).toBe(3);
    await other.collector.forgetRun(run.runId);
    expect(await talk.ended).toMatchObject({ code: 'UNKNOWN_RUN' });
    expect(await new Talk(other.client(), run).ended).toMatchObject({ code: 'UNKNOWN_RUN', field: 'run_id' });
    await other.remove();
  });
});
