/** Models of strangers through the service's own door: each is told what is wrong with it, and nobody else notices. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bombs, frozenModel } from '#graph/testing/bombs.js';
import { attach, refusal, upload, type Attached } from '#collector/testing/talk.js';
import { sha256 } from '#wire/checksum.js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import type { DescribeModelResponse } from '#wire/generated/messages.js';
import { readRefusal } from '#wire/status.js';
import { Scene } from '../support/scene.js';
import type { LaunchedService } from '../support/service-process.js';
import { watchHealth, type HealthSeen } from './support/health-watch.js';
import { npzBomb, smallProbeSet } from './support/npz-bomb.js';

/** What is promised is 100 ms; a busy machine answers late now and then. */
const p99Ms = 500;
/** The service computes for at most 20 s, waits for at most 40, and then has to say so. */
const answerMs = 60_000;

const maxTries = 4;

const codes = ['UNSUPPORTED_MODEL', 'PROBE_SET_MISMATCH'];

/** As a probe does: a machine that has no time says when to come back. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      const { code, retryAfterMs } = readRefusal(error);
      if (code !== 'UNAVAILABLE' || retryAfterMs === undefined || tries === maxTries) throw error;
      await sleep(retryAfterMs);
    }
  }
}

describe('graphs of strangers', { timeout: 300_000 }, () => {
  const scene = new Scene();
  let service: LaunchedService;
  let client: IngestClient;
  beforeAll(async () => {
    service = await scene.service();
    client = createIngestClient({ address: service.address });
  });
  afterAll(async () => {
    client.close();
    await scene.close();
  });

  const put = async (run: Attached, data: Buffer): Promise<string> => {
    const key = sha256(data);
    await upload(client, { run, kind: 'BLOB_KIND_ARTIFACT', key, data, chunkBytes: 1024 ** 2 });
    return key;
  };
  const begin = (): Promise<Attached> => attach(client, { loss: { kind: 'LOSS_KIND_CROSS_ENTROPY' } });
  const describeModel = async (graph: Buffer, train: Buffer): Promise<() => Promise<DescribeModelResponse>> => {
    const run = await begin();
    const [graphDigest, digest] = [await put(run, graph), await put(run, train)];
    const model = { format: 'MODEL_FORMAT_ONNX', graphDigest, parameters: ['w'], train: { digest } } as const;
    return () => patiently(() => client.describeModel({ ...run, model }, answerMs));
  };
  const wellBehaved = (): Promise<() => Promise<DescribeModelResponse>> =>
    describeModel(Buffer.from(bombs['sixty doublings of one number']!()), smallProbeSet());
  const expectHealthy = ({ answers, p99Ms: seen }: HealthSeen): void => {
    expect(answers).toBeGreaterThan(0);
    expect(seen).toBeLessThan(p99Ms);
  };

  it.each([
    'three products of 2000 x 2000 in three hundred bytes',
    'a hundred additions of four million numbers',
    'a loop of ten million empty turns',
    'a loop of additions of four million numbers',
    'a convolution of whole numbers with a kernel of its own size',
  ])('%s', async (name) => {
    const ask = await describeModel(Buffer.from(bombs[name]!()), smallProbeSet());
    const { result, health } = await watchHealth(service.url, () => refusal(ask()));
    expect(codes).toContain(result.code);
    expect(result).toMatchObject({ retryable: false, expected: expect.stringMatching(/\S/) });
    expectHealthy(health);
  });

  it('a probe set that unpacks to a thousand times its size', async () => {
    const graph = Buffer.from(bombs['sixty doublings of one number']!());
    const ask = await describeModel(graph, await npzBomb(125_000_000));
    const { result, health } = await watchHealth(service.url, () => refusal(ask()));
    expect(result).toMatchObject({ code: 'PROBE_SET_MISMATCH', retryable: false });
    expectHealthy(health);
  });

  it('a model of 288 MB with frozen weights is looked at beside everything else', async () => {
    const ask = await describeModel(Buffer.from(frozenModel(288)), smallProbeSet());
    const { result, health } = await watchHealth(service.url, ask);
    expect(result).toMatchObject({ parameters: ['w'], parameterCount: 6 });
    expectHealthy(health);
  });

  it('takes an ordinary model after all of that', async () => {
    const ask = await wellBehaved();
    const { result, health } = await watchHealth(service.url, ask);
    expect(result).toMatchObject({ parameters: ['w'], parameterCount: 6 });
    expectHealthy(health);
  });
});
