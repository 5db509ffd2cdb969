import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIngestClient } from '#wire/client.js';
import { attach, refusal } from '../../apps/collector/testing/talk.js';
import type { JobProcess } from '../support/job-process.js';
import { findPython } from '../support/needs.js';
import { Scene } from '../support/scene.js';
import { eventually, sqlRows, type LaunchedService } from '../support/service-process.js';
import type { JobOptions } from '../system/jobs/job-options.js';

/** Longer than a job needs to start again, on a busy machine too. */
const lostAfterMs = 60_000;
const steps = 40;
const python = findPython('a PyTorch job that takes up its run', ['torch', 'grpc', 'google.protobuf', 'numpy']);

describe('a job that was killed and is started again at once', () => {
  const scene = new Scene();
  let service: LaunchedService;
  beforeAll(async () => {
    service = await scene.service({ env: { STAGEWATCH_LOST_AFTER_MS: String(lostAfterMs) } });
  });
  afterAll(() => scene.close());

  const kinds = [
    { kind: 'node', start: (options: JobOptions) => scene.nodeJob(options) },
    ...(python === undefined ? [] : [{ kind: 'torch', start: (options: JobOptions) => scene.torchJob(python, options) }]),
  ];
  it.each(kinds)(
    'takes its run up as the next attempt, with no new line of code: $kind',
    { timeout: 180_000 },
    async ({ kind, start }) => {
      const secretFolder = scene.path(`secrets-${kind}`);
      const options = { address: service.address, steps, name: kind, snapshotEvery: 1000, secretFolder };
      const job = start({ ...options, paced: true });
      const run = await job.run;
      job.allow(10);
      await job.untilStep(10);
      job.kill();
      await job.exited;
      // Not even its own user's other jobs may, without the secret.
      const client = createIngestClient({ address: service.address });
      expect(await refusal(attach(client, { name: 'a stranger', resumeRunId: run }))).toMatchObject({ code: 'RUN_TAKEN' });
      client.close();

      const again = start({ ...options, resumeRunId: run });
      expect(await again.run).toBe(run);
      await expectTheEnd(again);
      const rows = await eventually(
        () => sqlRows<object>(service, `SELECT name, attempt, status FROM runs WHERE run = '${run}'`),
        ([row]) => (row as { status: string } | undefined)?.status === 'finished',
        90_000,
      );
      expect(rows).toEqual([{ name: kind, attempt: 2, status: 'finished' }]);
      const lost = await sqlRows(service, `SELECT kind FROM findings WHERE run = '${run}' AND kind = 'lost'`);
      expect(lost).toEqual([]);
      expect((await stat(join(secretFolder, run))).mode & 0o777).toBe(0o600);
      expect((await stat(secretFolder)).mode & 0o777).toBe(0o700);
    },
  );
});

it('a job that lost its secret waits until its run counts as lost, and nothing of it is lost', { timeout: 180_000 }, async () => {
  const scene = new Scene();
  try {
    const service = await scene.service({ env: { STAGEWATCH_LOST_AFTER_MS: '3000' } });
    const options = { address: service.address, steps, name: 'forgetful', snapshotEvery: 1000 };
    const job = scene.nodeJob({ ...options, paced: true, secretFolder: scene.path('one') });
    const run = await job.run;
    job.allow(10);
    await job.untilStep(10);
    job.kill();
    await job.exited;
    const again = scene.nodeJob({ ...options, resumeRunId: run, secretFolder: scene.path('another') });
    expect(await again.run).toBe(run);
    await expectTheEnd(again);
    const [row] = await eventually(
      () =>
        sqlRows<{ points: string }>(
          service,
          `SELECT count() AS points FROM scalars WHERE run = '${run}' AND attempt = 2 AND name = 'loss.train'`,
        ),
      ([found]) => Number(found?.points) >= steps,
      60_000,
    );
    expect(Number(row?.points)).toBe(steps);
  } finally {
    await scene.close();
  }
});

async function expectTheEnd(job: JobProcess): Promise<void> {
  expect(await job.exited).toMatchObject({ code: 0, delivered: true });
}
