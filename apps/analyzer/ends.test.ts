import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId } from '#runtime/ids.js';
import type { Analyzer } from './analyzer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';

let house: House;
let analyzer: Analyzer;
let run: string;

beforeEach(async () => {
  house = await House.open();
  analyzer = house.analyzer();
  await analyzer.start();
  run = newId('r');
});
afterEach(async () => {
  await analyzer.close();
  await house.close();
});

const row = () => house.store.rows('runs').find((candidate) => candidate.run === run);
const found = () => house.store.rows('findings').filter((finding) => finding.run === run);
const log = (): RunLog => new RunLog(run, house.blobs).attach();

it('ends - a job that has ended is not missed, whichever of its ranks falls silent', async () => {
  await log()
    .attach({ rank: 1 })
    .scalars([[5, 'loss.train', 1]])
    .end(5)
    .presence('PRESENCE_STATE_LOST', 5)
    .publish(house.bus);
  await house.settled();
  expect(row()).toMatchObject({ status: 'finished' });
  expect(found()).toEqual([]);
});

it('ends - what a lost job still had to say comes later, and its findings do not end in "nothing was heard"', async () => {
  await log()
    .scalars([[5, 'loss.train', 1]])
    .presence('PRESENCE_STATE_LOST', 5)
    .end(9)
    .publish(house.bus);
  await house.settled();
  expect(row()).toMatchObject({ status: 'finished', step: 9 });
  expect(found().map(({ kind, detail }) => [kind, detail])).toEqual([
    ['lost', ''],
    ['resumed', 'returned'],
  ]);
  const heard = JSON.parse(found()[0]!.evidence) as { last_heard_ms: number; silent_ms: number };
  expect(found()[0]!.text).toContain(
    `last at ${new Date(heard.last_heard_ms).toISOString().slice(0, 19).replace('T', ' ')} UTC, at step 5`,
  );
});

it('ends - 40 NaN steps and a healthy loss: the run is not shown as diverged any more', async () => {
  const losses = (from: number, to: number, value: number) =>
    Array.from({ length: to - from }, (_, i) => [from + i, 'loss.train', value] as const);
  const long = log().scalars([...losses(0, 100, 1), ...losses(100, 140, Number.NaN)]);
  await long.publish(house.bus);
  await house.settled();
  expect(row()).toMatchObject({ stage: 'diverged' });
  await long.scalars(losses(140, 200, 0.5)).publish(house.bus);
  await house.settled();
  expect(row()).toMatchObject({ stage: 'unknown', stageDetail: 'recovered', status: 'running' });
  expect(found().map(({ kind, step, to }) => [kind, step, to])).toEqual([
    ['divergence_risk', 100, ''],
    ['stage', 100, 'diverged'],
    ['recovered', 159, ''],
    ['stage', 159, 'unknown'],
  ]);
});
