import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { attach, refusal, Talk, upload, type Attached } from '#collector/testing/talk.js';
import { newId } from '#runtime/ids.js';
import { crc32, sha256 } from '#wire/checksum.js';
import { createIngestClient, type IngestClient } from '#wire/client.js';
import { cli } from '../support/cli-process.js';
import { busEntriesWith, filesWith } from '../support/left-behind.js';
import { withScene, type Scene } from '../support/scene.js';
import { eventually, sqlRows, type ServiceProcess } from '../support/service-process.js';

/** Bytes that nobody compresses away, with a word in them that is looked for afterwards. */
const bytesWith = (word: string, bytes = 4000): Buffer =>
  Buffer.concat([Buffer.from(word), randomBytes(bytes), Buffer.from(word)]);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const serviceEnv = { STAGEWATCH_ALERTS_ALLOW_PRIVATE: 'true' };

async function begin(scene: Scene): Promise<{ readonly service: ServiceProcess; readonly client: IngestClient }> {
  const service = await scene.service({ env: serviceEnv });
  const client = createIngestClient({ address: service.address });
  scene.atEnd(() => client.close());
  return { service, client };
}

/** Numbers and a NaN, so that there are rows, findings and an alert that cannot be delivered. */
async function logNumbers(client: IngestClient, run: Attached, word: string): Promise<Talk> {
  const names = ['loss.train', word];
  const scalars = (steps: readonly number[], values: readonly number[]) => ({
    names,
    nameIndex: steps.map((_, i) => i % 2),
    steps: [...steps],
    values: [...values],
  });
  // A step is judged when the next one has begun.
  return new Talk(client, run)
    .send({ sequence: 1, step: 2, scalars: scalars([1, 1, 2, 2], [0.5, 1, Number.NaN, 2]) })
    .send({ sequence: 2, step: 3, scalars: scalars([3, 3], [Number.NaN, 3]) })
    .untilAcknowledged(2);
}

async function storedFindings(service: ServiceProcess, run: string): Promise<void> {
  await eventually(
    () => sqlRows(service, `SELECT 1 FROM findings WHERE run = '${run}'`),
    (rows) => rows.length > 0,
  );
}

async function alertEverything(service: ServiceProcess): Promise<void> {
  // Nobody listens there, so what is to be told stays in the outbox.
  const rule = { name: 'all', minSeverity: 'info', groupSeconds: 0, url: 'http://127.0.0.1:9/' };
  const response = await fetch(`${service.url}/api/alerts/rules`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(rule),
  });
  expect(response.ok, await response.text()).toBe(true);
}

const artifact = (client: IngestClient, run: Attached, data: Buffer, breakAt?: number): Promise<unknown> =>
  upload(client, { run, kind: 'BLOB_KIND_ARTIFACT', key: sha256(data), data, ...(breakAt !== undefined && { breakAt }) });

it('of a deleted run no byte is left, described or not, whole or half uploaded, told or not', { timeout: 300_000 }, () =>
  withScene(async (scene) => {
    const { service, client } = await begin(scene);
    const data = scene.path('data');
    const [word, kept] = [newId('canary'), newId('kept')];
    await alertEverything(service);
    const run = await attach(client, { name: `${word} name`, tags: { [word]: word } });
    const other = await attach(client, { name: `${kept} name` });
    await (await logNumbers(client, run, `${word}.metric`)).end();
    await (await logNumbers(client, other, `${kept}.metric`)).end();

    const shared = bytesWith(kept);
    await artifact(client, run, shared);
    await artifact(client, other, shared);
    const [undescribed, graph, train] = [bytesWith(word), bytesWith(word), bytesWith(word)];
    for (const bytes of [undescribed, graph, train]) await artifact(client, run, bytes);
    const model = {
      format: 'MODEL_FORMAT_ONNX' as const,
      graphDigest: sha256(graph),
      parameters: ['w'],
      train: { digest: sha256(train), examples: 4 },
    };
    const { runId, attempt, instanceId } = run;
    await refusal(client.describeModel({ runId, attempt, instanceId, model }, 10_000));
    for (const bytes of [bytesWith(word, 500_000), bytesWith(word, 500_000)]) {
      await artifact(client, run, bytes, 300_000).catch(() => undefined);
      await upload(client, { run, key: 'half', data: bytes, breakAt: 300_000 }).catch(() => undefined);
    }
    for (const { runId: id } of [run, other]) await storedFindings(service, id);

    const env = { STAGEWATCH_URL: service.url };
    expect(await cli(['delete', run.runId, '--yes'], { env })).toMatchObject({ code: 0 });
    const bus = join(data, 'bus/bus.mdb');
    // On a busy machine the command does not wait to the end.
    const left = async (): Promise<string[]> => filesWith(data, word).filter((name) => name !== bus);
    await eventually(left, (names) => names.length === 0, 120_000);
    expect(await refusal(client.attachRun({ instanceId: 'again', name: 'x', resumeRunId: run.runId }, 10_000))).toMatchObject({
      code: 'UNKNOWN_RUN',
    });
    expect(await sqlRows(service, `SELECT DISTINCT name FROM scalars WHERE run = '${other.runId}' ORDER BY name`)).toHaveLength(
      2,
    );
    client.close();
    expect(await service.stop()).toBe(0);
    expect(busEntriesWith(bus, word)).toEqual([]);
    expect(busEntriesWith(bus, kept).length).toBeGreaterThan(0);
    expect(filesWith(join(data, 'blobs'), kept)).toHaveLength(1);
  }),
);

it('what goes on while a run is deleted does not bring it back', { timeout: 300_000 }, () =>
  withScene(async (scene) => {
    const { service, client } = await begin(scene);
    const data = scene.path('data');
    const word = newId('canary');
    await alertEverything(service);
    const run = await attach(client, { name: `${word} name` });
    const { runId, attempt, instanceId, runSecret } = run;
    const talk = await logNumbers(client, run, `${word}.metric`);
    await storedFindings(service, runId);

    let over = false;
    scene.atEnd(() => (over = true));
    const refused: unknown[] = [];
    const again = async (work: (i: number) => Promise<unknown>): Promise<void> => {
      for (let i = 3; !over && i < 10_000; i++) {
        await work(i).catch((error: unknown) => refused.push(error));
        await pause(20);
      }
    };
    const busy = [
      again((i) => {
        talk.send({
          sequence: i,
          step: i + 1,
          scalars: { names: [`${word}.metric`], nameIndex: [0], steps: [i + 1], values: [i] },
        });
        return Promise.resolve();
      }),
      again((i) => client.attachRun({ instanceId: `again-${i}`, name: `${word} again`, resumeRunId: runId, runSecret }, 10_000)),
      again(() => artifact(client, run, bytesWith(word))),
      again((i) => upload(client, { run, key: `s${i}`, data: bytesWith(word) })),
      again(() => {
        const digest = sha256(bytesWith(word));
        const model = {
          format: 'MODEL_FORMAT_ONNX' as const,
          graphDigest: digest,
          parameters: ['w'],
          train: { digest, examples: 4 },
        };
        return client.describeModel({ runId, attempt, instanceId, model }, 10_000);
      }),
    ];
    // One that began before, and whose next chunk comes when the run is long gone.
    const slow = client.uploadBlob();
    slow.on('error', (error) => refused.push(error)).on('data', () => undefined);
    const bytes = bytesWith(word, 200_000);
    const [first, second] = [bytes.subarray(0, 100_000), bytes.subarray(100_000)];
    slow.write({
      header: { runId, attempt, instanceId, kind: 'BLOB_KIND_ARTIFACT', key: sha256(bytes), totalBytes: bytes.length },
    });
    slow.write({ chunk: { offset: 0, crc32: crc32(first), data: first } });
    await pause(500);

    const env = { STAGEWATCH_URL: service.url };
    expect(await cli(['delete', runId, '--yes'], { env })).toMatchObject({ code: 0 });
    slow.write({ chunk: { offset: first.length, crc32: crc32(second), data: second } });
    slow.write({ end: { crc32: crc32(bytes) } });
    await pause(500);
    over = true;
    await Promise.all(busy);
    expect(refused.length).toBeGreaterThan(0);
    expect(await talk.ended).toMatchObject({ code: 'UNKNOWN_RUN' });

    const bus = join(data, 'bus/bus.mdb');
    // On a busy machine the command does not wait to the end.
    const left = async (): Promise<string[]> => filesWith(data, word).filter((name) => name !== bus);
    await eventually(left, (names) => names.length === 0, 120_000);
    client.close();
    expect(await service.stop()).toBe(0);
    expect(busEntriesWith(bus, word)).toEqual([]);
  }),
);
