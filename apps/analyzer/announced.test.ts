/** Snapshots that come after what the job had to say meanwhile are judged as if they had come in their place. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId } from '#runtime/ids.js';
import { packageRoot } from '#runtime/package-root.js';
import type { Analyzer } from './analyzer.js';
import { FakeMeasurer } from './testing/fake-measurer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';

let house: House;
let analyzer: Analyzer;

beforeEach(async () => {
  house = await House.open();
  analyzer = house.analyzer({ measurer: new FakeMeasurer() });
  await analyzer.start();
});
afterEach(async () => {
  await analyzer.close();
  await house.close();
});

type Row = readonly [step: number, loss: number, sharpness: number];
const golden = JSON.parse(readFileSync(`${packageRoot}/test/golden/stage_streams.json`, 'utf8')) as {
  cases: { name: string; rows: Row[] }[];
};
const rows = golden.cases.find(({ name }) => name === 'teacher_gd_0.4')!.rows.filter(([step]) => step <= 200);

const found = (run: string): unknown[] =>
  house.store
    .rows('findings')
    .filter((finding) => finding.run === run && finding.kind !== 'gap')
    .map(({ kind, step, onset, to, detail, text }) => [kind, step, onset, to, detail, text]);
const measuredSteps = (run: string): number[] =>
  house.store
    .rows('readings')
    .filter((reading) => reading.run === run && reading.name === 'sharpness')
    .map(({ step }) => step)
    .sort((a, b) => a - b);
const begin = (run: string): RunLog => new RunLog(run, house.blobs).attach().model();

it('a whole story whose snapshots come late, or after its end, has the findings of the one in order', async () => {
  const [inOrder, late, afterEnd] = [newId('r'), newId('r'), newId('r')];
  const logs = [begin(inOrder), begin(late), begin(afterEnd)] as const;
  const waiting: Row[] = [];
  for (const row of rows) {
    const [step, loss, sharpness] = row;
    for (const log of logs) log.scalars([[step, 'loss.train', loss]]);
    await logs[0].snapshot(step, sharpness, loss);
    logs[1].announce(step);
    logs[2].announce(step);
    waiting.push(row);
    if (waiting.length > 5) await arrive(logs[1], waiting.shift()!, step);
  }
  for (const log of logs) log.end(200);
  for (const row of waiting) await arrive(logs[1], row, 200);
  for (const row of rows) await arrive(logs[2], row, 200);
  for (const log of logs) await log.publish(house.bus);
  await house.settled();
  expect(found(inOrder).length).toBeGreaterThan(4);
  for (const run of [late, afterEnd]) {
    expect(found(run)).toEqual(found(inOrder));
    expect(measuredSteps(run)).toEqual(measuredSteps(inOrder));
    expect(house.store.rows('runs').find((row) => row.run === run)).toMatchObject({
      status: 'finished',
      stage: 'edge',
      step: 200,
    });
  }
});

function arrive(log: RunLog, [step, loss, sharpness]: Row, recordStep: number): Promise<RunLog> {
  return log.snapshot(step, sharpness, loss, 0.4, 1, { recordStep });
}

it('what is withdrawn holds nothing up any longer', async () => {
  const run = newId('r');
  const log = begin(run);
  for (const [step, loss] of rows) log.scalars([[step, 'loss.train', loss]]).announce(step);
  for (const row of rows.filter(([step]) => step !== 3)) await arrive(log, row, 200);
  await log.publish(house.bus);
  while (measuredSteps(run).length < rows.length - 1) await new Promise((resolve) => setTimeout(resolve, 20));
  const before = found(run).length;
  await log.withdraw(200, [3]).end(200).publish(house.bus);
  await house.settled();
  expect(before).toBeLessThan(found(run).length);
  expect(house.store.rows('runs').find((row) => row.run === run)).toMatchObject({ stage: 'edge' });
  expect(house.store.rows('findings').filter(({ kind }) => kind === 'gap')).toMatchObject([
    { detail: 'end', evidence: '{"points":0,"snapshots":1,"records":0}' },
  ]);
});

it('a job that has ended and is gone before its last snapshots is judged without them, and is not lost', async () => {
  const run = newId('r');
  const log = begin(run);
  for (const [step, loss] of rows) log.scalars([[step, 'loss.train', loss]]).announce(step);
  for (const row of rows.slice(0, -3)) await arrive(log, row, 200);
  await log.end(200).presence('PRESENCE_STATE_LOST', 200).publish(house.bus);
  await house.settled();
  expect(house.store.rows('runs').find((row) => row.run === run)).toMatchObject({ status: 'finished', stage: 'edge' });
  expect(found(run).filter((finding) => (finding as unknown[])[0] === 'lost')).toEqual([]);
  // One that comes all the same is measured at its own step.
  await (await arrive(log, rows.at(-1)!, 200)).publish(house.bus);
  await house.settled();
  expect(measuredSteps(run)).toContain(rows.at(-1)![0]);
});
