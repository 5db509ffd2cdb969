import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '#runtime/package-root.js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import { attach, refusal, Talk, upload, type Attached } from '../../apps/collector/testing/talk.js';
import { findPython } from '../support/needs.js';
import { runPicture } from '../support/run-picture.js';
import { Scene } from '../support/scene.js';
import { sqlRows, type ServiceProcess } from '../support/service-process.js';
import { blobBytes } from './jobs/blob-bytes.js';

const python = findPython('a PyTorch job whose clock is wrong', ['torch', 'grpc', 'google.protobuf', 'numpy']);

describe('who speaks, and when', () => {
  const scene = new Scene();
  let service: ServiceProcess;
  let client: IngestClient;
  beforeAll(async () => {
    service = await scene.service();
    client = createIngestClient({ address: service.address });
    scene.atEnd(() => client.close());
  });
  afterAll(() => scene.close());

  it('two processes with one identity: each sequence is stored once, and others do not notice', { timeout: 60_000 }, async () => {
    const bystander = scene.nodeJob({ address: service.address, steps: 300, snapshotEvery: 20, name: 'bystander' });
    const count = 200;
    const one = await attach(client, { name: 'cloned', instanceId: 'one-for-two' });
    const other = await attach(client, { name: 'cloned', instanceId: 'one-for-two' });
    expect(other.runId).toBe(one.runId);
    // Clones: the same sequences with their own numbers, each coming back where the service says.
    const taken = await Promise.all([cloneOf(one, 0, count), cloneOf(other, 0.5, count)]);
    expect(Math.max(...taken)).toBeGreaterThan(0);
    await new Talk(client, one)
      .send({ sequence: count + 1, step: count, end: { status: 'finished' } })
      .untilAcknowledged(count + 1);
    const picture = await runPicture(service, one.runId, count);
    expect(picture).toMatchObject({ rows: count, identities: count, findings: [] });
    expect([...picture.scalars].map(([at, value]) => `${at} is ${Math.floor(Number(value))}`)).toEqual(
      Array.from({ length: count }, (_, i) => `loss.train ${i + 1} is ${i + 1}`),
    );
    const end = await bystander.exited;
    expect(end).toMatchObject({ code: 0, delivered: true, errors: '' });
    expect((await runPicture(service, await bystander.run, 1200)).rows).toBe(1200);
  });

  /** Sends its version of every sequence that is still missing; answers how often it was sent away by the other. */
  async function cloneOf(run: Attached, fraction: number, count: number): Promise<number> {
    for (let sentAway = 0; ; sentAway++) {
      const talk = await new Talk(client, run).until((answers) => answers[0]?.welcome !== undefined);
      for (let sequence = talk.answers[0]!.welcome!.nextSequence; sequence <= count; sequence++) {
        const scalars = { names: ['loss.train'], nameIndex: [0], steps: [sequence], values: [sequence + fraction] };
        talk.send({ sequence, step: sequence, scalars });
        // Whoever is not in the middle of something is no test of it.
        if (
          sequence % 7 === 0 &&
          (await Promise.race([talk.untilAcknowledged(sequence), talk.ended]).catch(() => talk.ended)) !== talk
        )
          break;
      }
      const over = await talk.end();
      if (over === undefined) return sentAway;
      expect(over.code).toBe('IDENTITY_IN_USE');
    }
  }

  it('a second process as the same rank of the same attempt is refused; a second job of the same name is a second run', async () => {
    const first = await attach(client, { name: 'twice' });
    const refused = await refusal(
      attach(client, {
        name: 'twice',
        instanceId: 'a-stranger',
        resumeRunId: first.runId,
        runSecret: first.runSecret,
        joinAttempt: 1,
      }),
    );
    expect(refused).toMatchObject({ code: 'IDENTITY_IN_USE', field: 'rank', value: '0', expected: expect.any(String) });
    const pretending = await new Talk(client, { ...first, instanceId: 'a-stranger' }).ended;
    expect(pretending).toMatchObject({ code: 'IDENTITY_IN_USE', field: 'instance_id' });
    expect((await attach(client, { name: 'twice' })).runId).not.toBe(first.runId);
    // The first one has lost nothing by it.
    await new Talk(client, first).send({ sequence: 1, step: 1, end: { status: 'finished' } }).untilAcknowledged(1);
  });

  it('a probe killed in the middle of a chunk: the upload goes on at the last durable byte', { timeout: 60_000 }, async () => {
    const totalBytes = 64 * 1024 * 1024;
    const child = spawn(
      process.execPath,
      [join(packageRoot, 'dist/test/system/jobs/half-upload.js'), service.address, 'killed-in-a-chunk', String(totalBytes)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    scene.atEnd(() => child.kill('SIGKILL'));
    let sent = 0;
    const enough = new Promise<void>((resolve) => {
      child.stdout.on('data', (text: Buffer) => {
        sent = Number(text.toString().trim().split('\n').at(-1));
        if (sent >= totalBytes / 2) resolve();
      });
    });
    await enough;
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(sent).toBeLessThan(totalBytes);

    // The same process, as far as the service can know, comes back.
    const run = await attach(client, { name: 'killed in a chunk', instanceId: 'killed-in-a-chunk' });
    const data = blobBytes(totalBytes);
    const answers = await upload(client, { run, key: 'half', data, chunkBytes: 1024 * 1024 });
    expect(answers[0]!.durableBytes).toBeGreaterThan(0);
    expect(answers[0]!.durableBytes).toBeLessThanOrEqual(sent);
    const { blob } = answers.at(-1)!;
    expect(readFileSync(join(scene.path('data'), 'blobs/complete', blob)).equals(data)).toBe(true);
    const tensors = [{ name: 'w', dtype: 'float32', shape: [totalBytes / 4], offset: 0, bytes: totalBytes }];
    const talk = await new Talk(client, run)
      .send({ sequence: 1, step: 1, snapshot: { blob, tensors, learningRate: 0.1, reason: 'cadence' } })
      .untilAcknowledged(1);
    expect(await talk.end()).toBeUndefined();
  });

  it.skipIf(python === undefined).each([
    { clock: 'ten years behind', clockShiftSeconds: -10 * 365 * 86_400 },
    { clock: 'five years ahead', clockShiftSeconds: 5 * 365 * 86_400 },
  ])(
    'a training host whose clock is $clock: times are those of the service',
    { timeout: 60_000 },
    async ({ clockShiftSeconds }) => {
      const began = Date.now();
      const steps = 120;
      const job = scene.torchJob(python!, { address: service.address, steps, clockShiftSeconds });
      const run = await job.run;
      expect(await job.exited).toMatchObject({ code: 0, delivered: true });
      const picture = await runPicture(service, run, 3 * steps + 1);
      const ended = Date.now();
      expect(picture).toMatchObject({ status: 'finished', logged: 3 * steps + 1, rows: picture.identities });
      // Measured and told in order, and nobody took it for lost.
      expect(picture.findings.some((finding) => finding.startsWith('stage '))).toBe(true);
      expect(picture.findings.filter((finding) => /^(gap|lost|resumed) /.test(finding))).toEqual([]);
      expect(picture.readings.has(`sharpness  ${steps}`)).toBe(true);
      const times = await sqlRows<{ name: string; first: number; last: number }>(
        service,
        `SELECT 'scalars' AS name, ${range('time')} FROM scalars WHERE run = '${run}' UNION ALL
        SELECT 'readings', ${range('time')} FROM readings WHERE run = '${run}' UNION ALL
        SELECT 'findings', ${range('time')} FROM findings WHERE run = '${run}' UNION ALL
        SELECT 'runs', toFloat64(toUnixTimestamp64Milli(min(created))), toFloat64(toUnixTimestamp64Milli(max(seen)))
          FROM runs WHERE run = '${run}'`,
      );
      expect(times).toHaveLength(4);
      for (const { name, first, last } of times) {
        expect(first, name).toBeGreaterThanOrEqual(began);
        expect(last, name).toBeLessThanOrEqual(ended);
      }
      const metrics = await (await fetch(`${service.url}/metrics`)).text();
      const value = (name: string): number => Number(new RegExp(`^${name} (.+)$`, 'm').exec(metrics)?.[1]);
      expect(value('stagewatch_freshness_seconds_sum')).toBeGreaterThan(0);
      expect(value('stagewatch_freshness_seconds_sum') / value('stagewatch_freshness_seconds_count')).toBeLessThan(60);
    },
  );
});

const range = (column: string): string =>
  `toFloat64(toUnixTimestamp64Milli(min(${column}))) AS first, toFloat64(toUnixTimestamp64Milli(max(${column}))) AS last`;
