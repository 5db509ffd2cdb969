import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitingBucket } from '#bus/messages.js';
import { newId } from '#runtime/ids.js';
import type { Analyzer } from './analyzer.js';
import type { MeasureJob } from './measure/measurer.js';
import { FakeMeasurer } from './testing/fake-measurer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';
import { edgeStory } from './testing/story.js';

let house: House;
let run: string;
let analyzer: Analyzer;
let measurer: FakeMeasurer;
/** Ends what is being measured, and lets everything else through. */
let release: () => void;

beforeEach(async () => {
  house = await House.open();
  run = newId('r');
  measurer = new FakeMeasurer();
  const held = new Promise<void>((resolve) => (release = resolve));
  measurer.before = () => held;
  analyzer = house.analyzer({ measurer });
  await analyzer.start();
});
afterEach(async () => {
  release();
  await analyzer.close();
  await house.close();
});

async function until(condition: () => boolean, whatMs = 20_000): Promise<void> {
  const deadline = Date.now() + whatMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not so after ${whatMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const log = (id = run): RunLog => new RunLog(id, house.blobs).attach().model();
const kinds = (id = run): string[] =>
  house.store
    .rows('findings')
    .filter((finding) => finding.run === id)
    .map(({ kind, step }) => `${kind} ${step}`);
const rowOf = (id = run) => house.store.rows('runs').find((row) => row.run === id);

describe('while a measurement is under way', () => {
  it('a NaN, a loss of contact and an end behind it are judged, and the stage follows when it is measured', async () => {
    const long = await log().snapshot(0, 1, 1);
    long.scalars([
      [0, 'loss.train', 1],
      [1, 'loss.train', 1],
    ]);
    await long.publish(house.bus);
    await until(() => measurer.jobs.length === 1);
    await long
      .scalars([[7, 'loss.train', Number.NaN]])
      .presence('PRESENCE_STATE_LOST', 7)
      .presence('PRESENCE_STATE_RETURNED', 7)
      .gap(8, 3)
      .end(9)
      .publish(house.bus);
    await until(() => rowOf()?.status === 'finished');
    expect(kinds()).toEqual(['divergence_risk 7', 'lost 7', 'resumed 7', 'gap 8']);
    expect(rowOf()).toMatchObject({ status: 'finished', step: 9, stage: 'unknown' });
    expect(house.store.rows('readings')).toEqual([]);
    release();
    await house.settled();
    expect(kinds().slice(4)).toEqual(['stage 0', 'stage 7', 'early_phase 7']);
    expect(rowOf()).toMatchObject({ status: 'finished', stage: 'diverged' });
    expect(house.store.rows('readings')).toHaveLength(4);
  });

  it('a run is not held up by a hundred others that wait', async () => {
    for (let i = 0; i < 100; i++) await (await log(newId('r')).snapshot(0, 1, 1)).publish(house.bus);
    await until(() => measurer.jobs.length === 1);
    await new RunLog(run, house.blobs)
      .attach()
      .scalars([[3, 'loss.train', Number.NaN]])
      .publish(house.bus);
    await until(() => kinds().length > 0);
    expect(kinds()).toEqual(['divergence_risk 3']);
    expect(measurer.jobs).toHaveLength(1);
  });

  it('one that is under way is deleted with its run, and says nothing of it afterwards', async () => {
    await (await log().snapshot(0, 1, 1)).publish(house.bus);
    await until(() => measurer.jobs.length === 1);
    const orders = house.bus.kv('deletions');
    await orders.put(run, new Uint8Array());
    setTimeout(release, 200);
    await until(() => rowOf() === undefined);
    while ((await orders.get(run)) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    await house.settled();
    expect(await house.bus.kv(waitingBucket).get(run)).toBeUndefined();
    expect(await (await house.bus.group('records', 'judge')).state(run)).toBeUndefined();
    expect(house.store.rows('readings')).toEqual([]);
  });

  it('another attempt goes on without it, and says so', async () => {
    const resumed = await (await log().snapshot(0, 1, 1)).snapshot(1, 1, 1);
    resumed.attach({ attempt: 2, firstStep: 2 }).model(2);
    await (await resumed.snapshot(2, 1, 1, 0.4, 2)).end(2, 2).publish(house.bus);
    await until(() => rowOf()?.status === 'finished');
    release();
    await house.settled();
    const gaps = house.store.rows('findings').filter(({ kind }) => kind === 'gap');
    expect(gaps.map(({ attempt, detail, text }) => [attempt, detail, text])).toEqual([
      [1, 'stale_snapshots', 'step 1: 2 snapshots left out (stale_snapshots)'],
    ]);
    expect(house.store.rows('readings').map(({ attempt, step }) => [attempt, step])).toEqual(
      Array.from({ length: 4 }, () => [2, 2]),
    );
  });

  it('a service that ends takes it up again', async () => {
    await (await (await log().snapshot(0, 1, 1)).snapshot(1, 2, 1)).end(1).publish(house.bus);
    await until(() => measurer.jobs.length === 1);
    const closing = analyzer.close();
    release();
    await closing;
    expect(house.store.rows('readings')).toEqual([]);
    const next = new FakeMeasurer();
    analyzer = house.analyzer({ measurer: next });
    await analyzer.start();
    await house.settled();
    expect(next.jobs.map(({ step }) => step)).toEqual([0, 1]);
    expect(house.store.rows('readings')).toHaveLength(8);
  });
});

describe('turns', () => {
  it('a run with twenty large snapshots does not go before one with a small one', async () => {
    const [large, small] = [newId('r'), newId('r')];
    const many = log(large);
    for (let step = 0; step < 20; step++) await many.snapshot(step, 1, 1, 0.4, 1, { tensorBytes: 400_000_000 });
    await many.publish(house.bus);
    await until(() => measurer.jobs.length === 1);
    await (await log(small).snapshot(0, 1, 1)).publish(house.bus);
    await until(() => rowOf(small) !== undefined);
    release();
    await house.settled();
    const order = measurer.jobs.map((job) => job.run);
    expect(order).toHaveLength(21);
    expect(order[0]).toBe(large);
    expect(order.indexOf(small)).toBe(1);
  });

  it('leaves out the oldest when measuring does not keep up, keeps what was asked for and the newest, and says so once', async () => {
    await analyzer.close();
    analyzer = house.analyzer({ measurer, patienceSeconds: 2 });
    await analyzer.start();
    const slow = log();
    for (let step = 0; step < 80; step++) {
      await slow.snapshot(step, 1, 1, 0.4, 1, { reason: step === 5 ? 'asked' : 'cadence' });
      slow.scalars([[step, 'loss.train', 1]]);
    }
    await slow.publish(house.bus);
    await until(() => measurer.jobs.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    release();
    await house.settled();
    const measured = measurer.jobs.map(({ step }) => step);
    expect(measured.length).toBeLessThan(40);
    expect(measured.slice(0, 2)).toEqual([0, 5]);
    expect(measured.slice(-4)).toEqual([76, 77, 78, 79]);
    const gaps = house.store.rows('findings').filter(({ kind }) => kind === 'gap');
    expect(gaps.map(({ detail }) => detail)).toEqual(['stale_snapshots']);
    const { snapshots } = JSON.parse(gaps[0]!.evidence) as { snapshots: number };
    expect(snapshots + measured.length).toBe(80);
    expect((await house.metrics.snapshotsLeftOut.get()).values[0]!.value).toBe(snapshots);
    // Every step was judged all the same, and only the newest snapshot is kept.
    expect(rowOf()).toMatchObject({ stage: 'saturation', step: 79 });
    const blobs: string[] = [];
    for await (const { name } of house.blobs.list(`runs/${run}/snapshots/`)) blobs.push(name);
    expect(blobs).toEqual([`runs/${run}/snapshots/1-79`]);
  });

  it('an error of ours at a snapshot is tried again, and the run goes on without it', { timeout: 60_000 }, async () => {
    measurer.before = ({ step }: MeasureJob) => (step === 1 ? Promise.reject(new Error('a bug')) : Promise.resolve());
    const broken = await (await (await log().snapshot(0, 1, 1)).snapshot(1, 1, 1)).snapshot(2, 1, 1);
    await broken.end(2).publish(house.bus);
    await house.settled();
    expect(measurer.jobs.map(({ step }) => step)).toEqual([0, 1, 1, 1, 1, 1, 2]);
    const dead = await (await house.bus.group('records', 'judge')).deadLetters();
    expect(dead.map(({ reason }) => reason)).toEqual(['measuring the snapshot of step 1 failed: a bug']);
    expect(house.store.rows('readings').map(({ step }) => step)).toEqual([0, 0, 0, 0, 2, 2, 2, 2]);
  });
});

it('the same log gives the same findings, however late its measurements come', { timeout: 60_000 }, async () => {
  const startMs = Date.now();
  const findings = async (late: boolean): Promise<unknown> => {
    const story = await edgeStory(new RunLog(run, house.blobs, startMs), 120);
    if (!late) release();
    await story.publish(house.bus);
    if (late) await until(() => rowOf()?.status === 'finished');
    release();
    await house.settled();
    return house.store
      .rows('findings')
      .map((finding) => ({ ...finding, id: '', timeMs: 0 }))
      .toSorted((a, b) => a.step - b.step || a.kind.localeCompare(b.kind));
  };
  const late = await findings(true);
  expect(late).toHaveLength(7);
  await analyzer.close();
  await house.close();
  house = await House.open();
  measurer = new FakeMeasurer();
  analyzer = house.analyzer({ measurer });
  await analyzer.start();
  expect(await findings(false)).toEqual(late);
});
