import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '#wire/checksum.js';
import type { IngestClient } from '#wire/client.js';
import { startCollector, type TestCollector } from './testing/start-collector.js';
import { attach, refusal, Talk, upload, type Attached } from './testing/talk.js';

describe('uploading blobs', () => {
  let service: TestCollector;
  let client: IngestClient;
  let run: Attached;
  const data = randomBytes(1_500_000);
  beforeAll(async () => {
    service = await startCollector();
    client = service.client();
    run = await attach(client);
  });
  afterAll(() => service.remove());

  it('keeps a snapshot under a name of the server, and answers at once when it is there', async () => {
    const answers = await upload(client, { run, key: 'step-1', data });
    const blob = `runs/${run.runId}/1.0/snapshots/step-1`;
    expect(answers.at(0)).toEqual({ durableBytes: 0, blob: '' });
    expect(answers.at(-1)).toEqual({ durableBytes: data.length, blob });
    expect(await service.blobs.read(blob)).toEqual(data);
    expect(await upload(client, { run, key: 'step-1', data })).toEqual([{ durableBytes: data.length, blob }]);
  });

  it('goes on at the last durable byte after a break', async () => {
    const plan = { run, key: 'broken', data, chunkBytes: 100_000 };
    await expect(upload(client, { ...plan, breakAt: 700_000 })).rejects.toThrow(/CANCELLED/);
    const answers = await upload(client, plan);
    expect(answers[0]!.durableBytes).toBe(700_000);
    expect(await service.blobs.read(answers.at(-1)!.blob)).toEqual(data);
  });

  it('checks an artifact against its digest, also across a break', async () => {
    const kind = 'BLOB_KIND_ARTIFACT' as const;
    const plan = { run, kind, key: sha256(data), data, chunkBytes: 100_000 };
    await expect(upload(client, { ...plan, breakAt: 500_000 })).rejects.toThrow(/CANCELLED/);
    const answers = await upload(client, plan);
    expect(answers[0]!.durableBytes).toBe(500_000);
    expect(answers.at(-1)!.blob).toBe(`artifacts/${plan.key}`);
    const other = await attach(client);
    expect(await upload(client, { ...plan, run: other })).toHaveLength(1);

    const lie = { ...plan, key: sha256(Buffer.from('something else')) };
    expect(await refusal(upload(client, lie))).toMatchObject({ code: 'CHECKSUM_MISMATCH', field: 'header.key' });
    expect(await service.blobs.stat(`artifacts/${lie.key}`)).toBeUndefined();
    // Nothing of the lie is left over for the next try.
    expect(await refusal(upload(client, lie))).toMatchObject({ code: 'CHECKSUM_MISMATCH' });
  });

  it('begins an artifact anew whose first part came before a restart', async () => {
    let other = await startCollector();
    const mine = await attach(other.client());
    const plan = { run: mine, kind: 'BLOB_KIND_ARTIFACT' as const, key: sha256(data), data, chunkBytes: 100_000 };
    await expect(upload(other.client(), { ...plan, breakAt: 500_000 })).rejects.toThrow(/CANCELLED/);
    await other.stop();
    other = await startCollector({ dataDir: other.dataDir });
    const answers = await upload(other.client(), plan);
    expect(answers.map(({ durableBytes }) => durableBytes)).toEqual([0, data.length]);
    await other.remove();
  });

  it('lets two ranks upload one artifact at the same time', async () => {
    const key = sha256(Buffer.concat([data, data]));
    const plan = { kind: 'BLOB_KIND_ARTIFACT' as const, key, data: Buffer.concat([data, data]) };
    const other = await attach(client);
    const both = await Promise.all([upload(client, { ...plan, run }), upload(client, { ...plan, run: other })]);
    expect(both.map((answers) => answers.at(-1)!.blob)).toEqual([`artifacts/${key}`, `artifacts/${key}`]);
  });

  it('is there for records of its own run only', async () => {
    const [uploaded] = await upload(client, { run, key: 'step-1', data });
    const tensors = [{ name: 'w', dtype: 'float32', shape: [data.length / 4], offset: 0, bytes: data.length }];
    const snapshot = { blob: uploaded!.blob, tensors, learningRate: 0.1, reason: 'cadence' };
    await new Talk(client, run).send({ sequence: 1, step: 1, snapshot }).untilAcknowledged(1);
    const stranger = new Talk(client, await attach(client)).send({ sequence: 1, step: 1, snapshot });
    expect(await stranger.ended).toMatchObject({ code: 'BLOB_MISSING', field: 'batch.records[0].snapshot.blob' });
  });
});
