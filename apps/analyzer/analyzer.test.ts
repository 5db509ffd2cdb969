import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeJson, type FindingBody, type LiveBody } from '#bus/messages.js';
import { newId } from '#runtime/ids.js';
import type { Analyzer } from './analyzer.js';
import { MeasurerCrashed } from './measure/measurer.js';
import { FakeMeasurer } from './testing/fake-measurer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';
import { edgeStory } from './testing/story.js';

let house: House;
let run: string;
let analyzer: Analyzer | undefined;

beforeEach(async () => {
  house = await House.open();
  run = newId('r');
});
afterEach(async () => {
  await analyzer?.close();
  analyzer = undefined;
  await house.close();
});

async function start(options: Parameters<House['analyzer']>[0] = {}): Promise<void> {
  analyzer = house.analyzer(options);
  await analyzer.start();
}

async function stream<T>(name: 'live' | 'findings' | 'control'): Promise<{ id: string; body: T }[]> {
  const head = await house.bus.head(name);
  const all: { id: string; body: T }[] = [];
  if (head === 0) return all;
  for await (const message of house.bus.tail(name, { after: 0 })) {
    all.push({ id: message.id, body: decodeJson<T>(message.body) });
    if (message.position >= head) break;
  }
  return all;
}

async function blobsOf(prefix: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of house.blobs.list(prefix)) names.push(name);
  return names;
}

describe('analyzer', () => {
  it('takes a run from its log to rows, findings and live messages', async () => {
    const log = await edgeStory(new RunLog(run, house.blobs));
    await log.publish(house.bus);
    await start();
    await house.settled();

    const findings = house.store.rows('findings');
    // What needs no measurement is told before what waits for one.
    const inSteps = findings.toSorted((a, b) => a.step - b.step);
    expect(inSteps.map(({ kind, from, to, step }) => [kind, from, to, step])).toEqual([
      ['stage', 'unknown', 'transient', 0],
      ['stage', 'transient', 'saturation', 10],
      ['early_phase', '', 'lazy', 10],
      ['stage', 'saturation', 'sharpening', 55],
      ['gap', '', '', 60],
      ['lost', '', '', 100],
      ['resumed', '', '', 100],
      ['edge_crossed', '', '', 155],
      ['stage', 'sharpening', 'edge', 165],
    ]);
    const [row] = house.store.rows('runs');
    expect(row).toMatchObject({ run, status: 'finished', stage: 'edge', stageDetail: 'at_edge', step: 200, project: 'test' });
    expect(JSON.parse(row!.optimizer)).toMatchObject({ name: 'sgd', learningRate: 0.4 });
    const snapshots = log.messages.filter(({ id }) => id.startsWith('1.0.')).length;
    expect(house.store.rows('scalars')).toHaveLength(57 * 3);
    expect(snapshots).toBeGreaterThan(57);
    expect(house.store.rows('readings')).toHaveLength(57 * 4);
    expect(house.store.rows('instruments').every(({ on }) => on)).toBe(true);

    const told = await stream<FindingBody>('findings');
    expect(told.map(({ id }) => id)).toEqual(findings.map(({ id }) => id));
    expect(told.at(-1)!.body).toMatchObject({ runName: 'a run', project: 'test', evidence: { lr: 0.4 } });
    const live = (await stream<LiveBody>('live')).map(({ body }) => body);
    expect(live.filter(({ kind }) => kind === 'finding')).toHaveLength(findings.length);
    const series = live.flatMap((body) => (body.kind === 'series' ? body.series : []));
    const points = (name: string) =>
      series.filter((line) => line.name === name).reduce((sum, line) => sum + line.steps.length, 0);
    expect([points('mine'), points('sharpness')]).toEqual([57, 57]);
    expect((await stream<{ kind: string }>('control'))[0]!.body).toEqual({
      kind: 'cadence',
      fromStep: 0,
      everySteps: 1,
      factor: 1,
      untilStep: 10,
      forMs: 600_000,
    });
    await analyzer!.close();
    // Of the blobs only the newest snapshot is left: a run that has ended needs no start for a next measurement.
    expect(await blobsOf(`runs/${run}/`)).toEqual([`runs/${run}/snapshots/1-200`]);
    expect(JSON.stringify(Buffer.from((await (await house.bus.group('records', 'judge')).state(run))!).toString())).not.toContain(
      'secret',
    );
  });

  it('carries NaN and infinities to the rows, and says that the run diverges', async () => {
    const log = new RunLog(run, house.blobs).attach().scalars([
      [0, 'loss.train', 1],
      [1, 'loss.train', Number.NaN],
      [2, 'mine', Number.POSITIVE_INFINITY],
    ]);
    await log.heartbeat(2).publish(house.bus);
    await start();
    await house.settled();
    expect(house.store.rows('scalars').map(({ value }) => value)).toEqual([1, Number.NaN, Number.POSITIVE_INFINITY]);
    expect(house.store.rows('findings').map(({ kind, severity, step }) => [kind, severity, step])).toEqual([
      ['divergence_risk', 'critical', 1],
      ['stage', 'critical', 1],
      ['early_phase', 'info', 1],
    ]);
    const live = (await stream<LiveBody>('live')).flatMap(({ body }) => (body.kind === 'series' ? body.series : []));
    expect(live.flatMap(({ values }) => values)).toEqual([1, 'nan', 'inf']);
    expect(house.store.rows('instruments').map(({ on, reason }) => [on, reason])[0]).toEqual([
      false,
      'the job has not described its model',
    ]);
  });

  it('sets a snapshot aside that ended its process twice, and goes on with the run', async () => {
    const log = new RunLog(run, house.blobs).attach().model();
    for (let step = 0; step < 4; step++) await log.snapshot(step, 1, 1);
    await log.end(4).publish(house.bus);
    const measurer = new FakeMeasurer();
    measurer.before = (job) =>
      job.step === 1 ? Promise.reject(new MeasurerCrashed('it was ended by SIGSEGV')) : Promise.resolve();
    await start({ measurer });
    await house.settled();
    expect(measurer.jobs.filter(({ step }) => step === 1)).toHaveLength(2);
    expect(house.store.rows('readings').map(({ step }) => step)).not.toContain(1);
    expect(house.store.rows('readings')).toHaveLength(12);
    const dead = await (await house.bus.group('records', 'judge')).deadLetters();
    expect(dead.map(({ reason }) => reason)).toEqual([
      'measuring the snapshot of step 1 ended its process twice: it was ended by SIGSEGV',
    ]);
    const said = house.store.rows('findings').filter(({ kind }) => kind === 'dead_letter');
    expect(said.map(({ text }) => text)).toEqual([
      expect.stringMatching(/^A snapshot was set aside.*step 1 ended its process twice.*dead-letters drop records\/judge\//),
    ]);
    expect(said[0]!.text).not.toContain('retry');
    expect(house.store.rows('runs')[0]).toMatchObject({ status: 'finished', step: 4 });
    expect(house.store.rows('instruments').every(({ on }) => on)).toBe(true);
  });

  it('does not let a long measurement of one run hold up scalars or other runs', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const measurer = new FakeMeasurer();
    measurer.before = () => held;
    await start({ measurer });
    const log = new RunLog(run, house.blobs).attach().model();
    await log.snapshot(0, 1, 1);
    await log.scalars([[1, 'loss.train', 1]]).publish(house.bus);
    const other = newId('r');
    await new RunLog(other, house.blobs).attach().end(0).publish(house.bus);
    await until(() => house.store.rows('scalars').length === 1 && house.store.rows('runs').some((row) => row.run === other));
    expect(house.store.rows('readings')).toEqual([]);
    release();
    await house.settled();
    expect(house.store.rows('readings')).toHaveLength(4);
  });

  it('waits out weather without losing or rejecting anything', async () => {
    const { StagewatchError } = await import('#runtime/errors.js');
    let bad = 3;
    house.store.beforeWrite = () =>
      bad-- > 0 ? Promise.reject(new StagewatchError('STORAGE_FULL', 'no space')) : Promise.resolve();
    await new RunLog(run, house.blobs)
      .attach()
      .scalars([[0, 'loss.train', 1]])
      .publish(house.bus);
    await start();
    await house.settled();
    expect(house.store.rows('scalars')).toHaveLength(1);
    expect(house.store.rows('runs')).toHaveLength(1);
  });

  it('sets aside what it cannot read, and keeps what stands around it', async () => {
    const log = new RunLog(run, house.blobs).attach().scalars([[0, 'loss.train', 1]]);
    log.messages.push({ subject: run, id: 'garbage', body: Buffer.from([0xff, 0xff, 0xff]) });
    await log
      .scalars([[1, 'loss.train', 2]])
      .end(1)
      .publish(house.bus);
    await start();
    await house.settled();
    expect(house.store.rows('scalars').map(({ value }) => value)).toEqual([1, 2]);
    expect(house.store.rows('runs')[0]).toMatchObject({ status: 'finished' });
    for (const name of ['ledger', 'judge']) {
      const dead = await (await house.bus.group('records', name)).deadLetters();
      expect(dead.map(({ message }) => message.id)).toEqual(['garbage']);
    }
  });

  it('counts attempts: what the first left unfinished is judged, the second resumes', async () => {
    const log = new RunLog(run, house.blobs)
      .attach()
      .scalars([[5, 'loss.train', 1]])
      .attach({ attempt: 2, firstStep: 3 });
    await log
      .scalars([[3, 'loss.train', Number.NaN]], 2)
      .end(3, 2)
      .publish(house.bus);
    await start();
    await house.settled();
    const findings = house.store.rows('findings');
    expect(findings.map(({ kind, attempt, step }) => [kind, attempt, step])).toEqual([
      ['resumed', 2, 3],
      ['divergence_risk', 2, 3],
      ['stage', 2, 3],
      ['early_phase', 2, 3],
    ]);
  });

  it('deletes finished runs that were last seen longer ago than days are kept', async () => {
    const old = new RunLog(run, house.blobs, Date.now() - 3 * 24 * 3600_000).attach().end(1);
    await old.publish(house.bus);
    const young = newId('r');
    await new RunLog(young, house.blobs).attach().end(1).publish(house.bus);
    await start();
    await house.settled();
    await analyzer!.close();
    await start({ config: { ...house.config, keepDays: 2 } });
    await until(() => house.store.rows('runs').length === 1);
    expect(house.store.rows('runs').map((row) => row.run)).toEqual([young]);
  });

  it('deletes a run that is ordered to go, with what it alone used, while others stay', async () => {
    const other = newId('r');
    for (const name of ['ab'.repeat(32), 'cd'.repeat(32), 'ef'.repeat(32)]) {
      const upload = await house.blobs.upload(`artifacts/${name}`, 0);
      await upload.commit(0);
      await upload.close();
    }
    const first = new RunLog(run, house.blobs).attach().model();
    await (await first.snapshot(0, 1, 1)).end(1).publish(house.bus);
    const second = new RunLog(other, house.blobs).attach().model(1, 'ef'.repeat(32));
    await (await second.snapshot(0, 1, 1)).end(1).publish(house.bus);
    await start();
    await house.settled();
    const orders = house.bus.kv('deletions');
    await orders.put(run, new Uint8Array());
    while ((await orders.get(run)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(house.store.rows('runs').map((row) => row.run)).toEqual([other]);
    expect(house.store.rows('readings').every((row) => row.run === other)).toBe(true);
    expect(await blobsOf(`runs/${run}/`)).toEqual([]);
    expect(await blobsOf('artifacts/')).toEqual([`artifacts/${'cd'.repeat(32)}`, `artifacts/${'ef'.repeat(32)}`]);
    expect((await stream<LiveBody>('live')).at(-1)!.body).toEqual({ kind: 'deleted' });
    expect(await (await house.bus.group('records', 'judge')).state(run)).toBeUndefined();
  });

  it('carries out hundreds of orders together', async () => {
    const runs = Array.from({ length: 300 }, () => newId('r'));
    for (const id of runs) await new RunLog(id, house.blobs).attach().end(1).publish(house.bus);
    await start();
    await house.settled();
    await until(() => house.store.rows('runs').length === runs.length);
    const orders = house.bus.kv('deletions');
    await Promise.all(runs.map((id) => orders.put(id, new Uint8Array())));
    await until(() => house.store.rows('runs').length === 0);
    // The first turn may have come when only some had been ordered.
    expect(house.store.deletions).toBeLessThanOrEqual(3);
  });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
