import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { exportOnnx, mlp } from '#graph/index.js';
import { attach, type AttachOptions } from '#probe-node/index.js';
import { flatten } from '#wire/tensors.js';
import type { Envelope } from '#wire/generated/messages.js';
import { startCollector, type TestCollector } from '../../apps/collector/testing/start-collector.js';

const secretFolder = mkdtempSync(join(tmpdir(), 'stagewatch-secrets-'));
afterAll(() => rmSync(secretFolder, { recursive: true, force: true }));

const sizes = [3, 4, 2];
const parameters = ['layer1.weight', 'layer1.bias', 'layer2.weight', 'layer2.bias'];
const weights = (step: number) => [
  { name: 'layer1.weight', shape: [3, 4], data: new Float32Array(12).fill(step) },
  { name: 'layer1.bias', shape: [4], data: new Float32Array(4).fill(step) },
  { name: 'layer2.weight', shape: [4, 2], data: new Float32Array(8).fill(step) },
  { name: 'layer2.bias', shape: [2], data: new Float32Array(2).fill(step) },
];
const options = (address: string, more: Partial<AttachOptions> = {}): AttachOptions => ({
  address,
  name: 'probe test',
  optimizer: { name: 'sgd', learningRate: 0.1 },
  loss: { kind: 'mse', halved: true },
  model: { format: 'onnx', graph: exportOnnx(mlp({ sizes, activation: 'tanh' })), parameters },
  train: { x: { shape: [5, 3], data: new Float32Array(15) }, y: { shape: [5, 2], data: new Float32Array(10) } },
  maxRetryMs: 300,
  secretFolder,
  warn: (text) => warnings.push(text),
  ...more,
});

let warnings: string[] = [];
let service: TestCollector | undefined;
afterEach(async () => {
  await service?.remove();
  service = undefined;
  warnings = [];
});

const stored = async (of: TestCollector, runId: string): Promise<Envelope[]> =>
  (await of.records()).filter(({ message }) => message.subject === runId).map(({ envelope }) => envelope);

/** Every point of a name, in the order in which it was stored. */
const points = (envelopes: readonly Envelope[], name: string): [number, number][] =>
  envelopes.flatMap(({ record }) => {
    const batch = record?.scalars;
    if (batch === undefined) return [];
    return batch.steps.flatMap((step, i): [number, number][] =>
      batch.names[batch.nameIndex[i]!] === name ? [[step, batch.values[i]!]] : [],
    );
  });

describe('node probe', () => {
  it('attaches, describes, sends every point and the snapshots that are due, and ends', async () => {
    service = await startCollector();
    const run = attach(options(service.address));
    for (let step = 0; step < 30; step++) {
      const loss = step === 7 ? Number.NaN : 1 / (step + 1);
      run.step({ loss, lr: 0.1, 'gradient.norm': step, snapshot: () => weights(step) });
      await wait(1);
    }
    expect(await run.end('finished')).toEqual({ delivered: true, undelivered: 0 });
    const attached = (await run.attached)!;
    expect(attached).toMatchObject({ attempt: 1, pageUrl: expect.stringContaining(attached.runId) });
    const all = await stored(service, attached.runId);
    expect(all[0]?.attached).toMatchObject({
      name: 'probe test',
      optimizer: { name: 'sgd', learningRate: 0.1 },
      loss: { kind: 'LOSS_KIND_MEAN_SQUARED_ERROR', reduction: 'LOSS_REDUCTION_MEAN_OUTPUTS', halved: true },
    });
    expect(all[1]?.model).toMatchObject({ format: 'MODEL_FORMAT_ONNX', parameters, train: { examples: 5 }, val: null });
    expect(points(all, 'loss.train').map(([step, value]) => [step, value])).toEqual(
      Array.from({ length: 30 }, (_, step) => [step, step === 7 ? Number.NaN : 1 / (step + 1)]),
    );
    expect(points(all, 'gradient.norm')).toHaveLength(30);
    const snapshots = all.filter(({ record }) => record?.snapshot);
    expect(snapshots.map(({ record }) => record!.step)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 21, 24, 27,
    ]);
    const last = snapshots.at(-1)!.record!.snapshot!;
    expect(flatten(await service.blobs.read(last.blob), last.tensors)).toEqual(new Float32Array(26).fill(27));
    expect(last).toMatchObject({ learningRate: 0.1, reason: 'cadence' });
    expect(all.at(-1)?.record).toMatchObject({ step: 29, end: { status: 'finished' } });
    expect(warnings).toEqual([]);
  });

  it('loses nothing and repeats nothing while the service is killed and started again, and comes late', async () => {
    const first = await startCollector();
    const { dataDir } = first;
    const port = Number(first.address.split(':')[1]);
    await first.stop();
    const run = attach(options(`127.0.0.1:${port}`, { memoryBytes: 60_000, heartbeatMs: 50 }));
    let step = 0;
    const train = async (steps: number): Promise<void> => {
      for (const until = step + steps; step < until; step++) {
        run.step({ loss: step, snapshot: () => weights(step) });
        if (step % 20 === 0) await wait(1);
      }
    };
    await train(200);
    for (let round = 0; round < 4; round++) {
      service = await startCollector({ dataDir, port });
      await run.attached;
      const ends = wait(150 + 100 * round);
      await train(300);
      await ends;
      await train(100);
      await service.stop();
      await train(50);
    }
    service = await startCollector({ dataDir, port });
    expect(await run.end()).toEqual({ delivered: true, undelivered: 0 });
    const all = await stored(service, (await run.attached)!.runId);
    expect(points(all, 'loss.train')).toEqual(Array.from({ length: step }, (_, i) => [i, i]));
    expect(all.filter(({ body }) => body === 'sequenceGap')).toEqual([]);
    expect(all.filter(({ record }) => record?.gap)).toEqual([]);
    const sequences = all.flatMap(({ record }) => (record ? [record.sequence] : []));
    expect(sequences).toEqual(sequences.map((_, i) => i + 1));
    const steps = all.flatMap(({ record }) => (record?.snapshot ? [record.step] : []));
    expect(steps.slice(0, 12)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('says what it had to leave out, within its bounds', async () => {
    const gone = await startCollector();
    const { dataDir } = gone;
    const port = Number(gone.address.split(':')[1]);
    await gone.stop();
    const run = attach(options(`127.0.0.1:${port}`, { memoryBytes: 30_000, spoolBytes: 20_000 }));
    const steps = 20_000;
    for (let step = 0; step < steps; step++) {
      run.step({ loss: step, snapshot: () => weights(step) });
      if (step % 100 === 0) await wait(0);
    }
    service = await startCollector({ dataDir, port });
    expect(await run.end()).toEqual({ delivered: true, undelivered: 0 });
    const all = await stored(service, (await run.attached)!.runId);
    const gaps = all.flatMap(({ record }) => (record?.gap ? [record.gap] : []));
    const kept = points(all, 'loss.train');
    expect(gaps.length).toBeGreaterThan(0);
    expect(kept.length + gaps.reduce((sum, { points: lost }) => sum + lost, 0)).toBe(steps);
    expect(new Set(gaps.map(({ reason }) => reason)).size).toBeGreaterThan(0);
    expect(kept).toEqual([...new Map(kept)]);
  });

  it('goes on watching when the model cannot be measured, and sends no snapshots for nothing', async () => {
    service = await startCollector();
    const wide = { shape: [5, 4], data: new Float32Array(20) };
    const run = attach(options(service.address, { train: { x: wide, y: { shape: [5, 2], data: new Float32Array(10) } } }));
    run.step({ loss: 1, snapshot: () => weights(0) });
    const { runId } = (await run.attached)!;
    while (run.snapshotDue()) await wait(5);
    run.step({ loss: 2, snapshot: () => expect.fail('a snapshot was taken') });
    expect((await run.end()).delivered).toBe(true);
    expect(points(await stored(service, runId), 'loss.train')).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(warnings).toEqual([expect.stringMatching(/cannot be measured, PROBE_SET_MISMATCH.*\[5, 4\]/)]);
  });

  it('never throws into training: a refused run, a failing snapshot, a name that is too long', async () => {
    service = await startCollector({ environment: { STAGEWATCH_TOKEN: 'a-secret-of-16-chars' } });
    const stranger = attach(options(service.address));
    stranger.step({ loss: 1 });
    expect(await stranger.attached).toBeUndefined();
    stranger.step({ loss: 2 });
    expect((await stranger.end()).delivered).toBe(false);
    expect(warnings).toEqual([expect.stringMatching(/FORBIDDEN/)]);
    warnings = [];
    const run = attach(options(service.address, { token: 'a-secret-of-16-chars' }));
    const failing = (): never => {
      throw new Error('out of device memory');
    };
    run.step({ loss: 1, snapshot: failing });
    run.step({ step: Number.NaN, loss: 1 });
    run.step({ step: 5, loss: 5, ['x'.repeat(300)]: 1 });
    await wait(300);
    run.step({ step: 6, loss: 6 });
    await wait(300);
    run.step({ step: 7, loss: 7 });
    expect((await run.end()).delivered).toBe(true);
    const all = await stored(service, (await run.attached)!.runId);
    // The refused record is accounted for, and what came after it is there.
    expect(points(all, 'loss.train').map(([step]) => step)).toEqual([6, 7]);
    expect(all.flatMap(({ record }) => (record?.gap ? [record.gap.reason] : []))).toEqual(['refused']);
    expect(warnings).toHaveLength(3);
  });

  it('a further rank joins the live run of its job without a new line of code; one that cannot know the secret does not', async () => {
    service = await startCollector();
    const first = attach(options(service.address));
    const { runId, attempt } = (await first.attached)!;
    const join1 = { resumeRunId: runId, joinAttempt: attempt };
    const second = attach(options(service.address, { ...join1, rank: 1 }));
    expect(await second.attached).toMatchObject({ runId, attempt });
    const elsewhere = join(secretFolder, 'elsewhere');
    const stranger = attach(options(service.address, { ...join1, rank: 2, secretFolder: elsewhere, drainMs: 0 }));
    while (!warnings.some((text) => text.includes('belongs to another job'))) await wait(20);
    for (const run of [first, second]) expect((await run.end()).delivered).toBe(true);
    expect((await stranger.end()).delivered).toBe(false);
    const ranks = (await stored(service, runId)).map(({ rank }) => rank);
    expect(new Set(ranks)).toEqual(new Set([0, 1]));
  });

  it('a job may bring a secret that its ranks know who share no folder', async () => {
    service = await startCollector();
    const runSecret = 'what-all-ranks-of-one-launcher-know';
    const folder = (rank: number): string => join(secretFolder, `host-${rank}`);
    const first = attach(options(service.address, { runSecret, secretFolder: folder(0) }));
    const { runId, attempt } = (await first.attached)!;
    const more = { resumeRunId: runId, joinAttempt: attempt, rank: 1, runSecret, secretFolder: folder(1) };
    const second = attach(options(service.address, more));
    expect(await second.attached).toMatchObject({ runId, attempt });
    for (const run of [first, second]) expect((await run.end()).delivered).toBe(true);
  });

  it('a folder that cannot be written costs one warning', async () => {
    service = await startCollector();
    const run = attach(options(service.address, { secretFolder: '/dev/null/no-folder-can-be-made-here' }));
    run.step({ loss: 1 });
    expect((await run.end()).delivered).toBe(true);
    expect(warnings).toEqual([expect.stringMatching(/could not be kept/)]);
  });

  it('follows the wishes of the service', async () => {
    service = await startCollector();
    const run = attach(options(service.address));
    const { runId } = (await run.attached)!;
    for (let step = 0; step <= 100; step++) run.step({ snapshot: () => weights(step) });
    expect(run.snapshotDue(102)).toBe(false);
    const wish = (id: string, body: object) =>
      service!.bus.publish('control', [{ subject: runId, id, body: Buffer.from(JSON.stringify(body)) }]);
    await wish('1', { kind: 'snapshot-now', reason: 'edge' });
    while (!run.snapshotDue(102)) await wait(5);
    run.step({ step: 102, snapshot: () => weights(102) });
    while (!(await stored(service, runId)).some(({ record }) => record?.snapshot?.reason === 'edge')) await wait(20);
    await wish('2', { kind: 'stop-sending', reason: 'enough' });
    await wait(200);
    run.step({ step: 103, loss: 1 });
    await run.end();
    const snapshots = (await stored(service, runId)).flatMap(({ record }) =>
      record?.snapshot ? [[record.step, record.snapshot.reason]] : [],
    );
    expect(snapshots.at(-1)).toEqual([102, 'edge']);
    expect(warnings).toEqual([expect.stringMatching(/enough/)]);
  });
});
