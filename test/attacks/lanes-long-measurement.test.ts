import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attach } from '#collector/testing/talk.js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import { cli } from '../support/cli-process.js';
import { runBody } from '../support/run-picture.js';
import { Scene } from '../support/scene.js';
import { eventually, sqlRows, type ServiceProcess } from '../support/service-process.js';
import { watchedModel, WireJob } from './support/watched-model.js';

/** Idle runs cost nothing but the time to attach them: a thousand are asked for by hand. */
const idleRuns = Number(process.env['STAGEWATCH_TEST_IDLE_RUNS'] ?? 200);
const waitingRuns = 70;
/** 2 s are promised; a machine that is busy with other tests gets more. */
const findingWithinMs = 10_000;

/** One product with the Hessian of this takes seconds, and a first measurement needs dozens. */
const large = watchedModel([64, 512, 512, 1], 50_000);
const small = watchedModel([4, 8, 1], 32);

describe('many idle runs, seventy that wait, and one that measures for minutes', () => {
  const scene = new Scene();
  let service: ServiceProcess;
  let client: IngestClient;
  let slow: WireJob;

  beforeAll(async () => {
    service = await scene.service();
    client = createIngestClient({ address: service.address });
    scene.atEnd(() => client.close());
    for (let i = 0; i < idleRuns; i += 10) await Promise.all(Array.from({ length: 10 }, () => attach(client)));
    slow = await WireJob.attach(client, large);
    for (let step = 0; step < 4; step++) await slow.snapshot(large, step);
    await eventually(
      () => runBody(service, slow.id).catch(() => undefined),
      (body) => body?.measuring.underWay === 0,
      60_000,
    );
    for (let i = 0; i < waitingRuns; i++) await (await WireJob.attach(client, small)).snapshot(small, 0);
  }, 300_000);
  afterAll(() => scene.close());

  /** How long it took until the finding could be read. */
  async function findingAfter(job: WireJob, kind: string, cause: () => Promise<void>): Promise<number> {
    const sentMs = performance.now();
    await cause();
    await eventually(
      () => sqlRows(service, `SELECT kind FROM findings WHERE run = '${job.id}' AND kind = '${kind}'`),
      (rows) => rows.length === 1,
      60_000,
    );
    return performance.now() - sentMs;
  }

  it('a NaN of a run that measures nothing has its finding at once', async () => {
    const job = await WireJob.attach(client);
    await job.loss(0, 1);
    const ms = await findingAfter(job, 'divergence_risk', () => job.loss(1, Number.NaN));
    process.stderr.write(`scalar run: ${Math.round(ms)} ms from NaN to finding\n`);
    expect(ms).toBeLessThan(findingWithinMs);
    expect((await runBody(service, slow.id)).measuring.underWay).toBe(0);
  });

  it('a NaN and an end of the very run that is measured do not wait for it', async () => {
    const ms = await findingAfter(slow, 'divergence_risk', () => slow.loss(5, Number.NaN));
    process.stderr.write(`measured run: ${Math.round(ms)} ms from NaN to finding\n`);
    expect(ms).toBeLessThan(findingWithinMs);
    await slow.end(6);
    const body = await eventually(
      () => runBody(service, slow.id),
      ({ status }) => status !== 'running',
      findingWithinMs,
    );
    expect(body).toMatchObject({ status: 'finished', step: 6, measuring: { underWay: 0, waiting: 3 } });
  });

  it('the commands say what is measured and what waits', async () => {
    const env = { STAGEWATCH_URL: service.url };
    expect((await cli(['show', slow.id], { env })).out).toMatch(/^measurements +measuring step 0, 3 waiting$/m);
    expect((await cli(['runs', '--limit', '1000'], { env })).out).toMatch(/ MEASUREMENTS\n/);
  });
});
