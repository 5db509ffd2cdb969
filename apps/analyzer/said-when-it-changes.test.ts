import { afterEach, beforeEach, expect, it } from 'vitest';
import { stageStreams } from '#detectors/testing/golden-streams.js';
import { newId } from '#runtime/ids.js';
import type { Analyzer } from './analyzer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';

let house: House;
let analyzer: Analyzer;

beforeEach(async () => {
  house = await House.open();
  analyzer = house.analyzer();
  await analyzer.start();
});
afterEach(async () => {
  await analyzer.close();
  await house.close();
});

/** As the Python probe sends: the loss of every step, the rate when it changes, and a snapshot now and then with the rate in it. */
async function asTheProbeSends(log: RunLog, name: string): Promise<RunLog> {
  const rows = stageStreams().find((stream) => stream.name === name)!.steps;
  let rate: number | undefined;
  for (const [i, { step, readings }] of rows.entries()) {
    const next = rows[i + 1]?.step ?? step + 1;
    const { lr, sharpness, 'loss.train': loss } = readings as Record<'lr' | 'sharpness' | 'loss.train', number>;
    const between = Array.from({ length: Math.min(next - step, 8) }, (_, k) => [step + k, 'loss.train', loss] as const);
    await log
      .scalars(rate === lr ? [[step, 'loss.train', loss]] : [[step, 'lr', lr], ...between.slice(0, 1)])
      .snapshot(step, sharpness, loss, lr);
    if (between.length > 1) log.scalars(between.slice(1));
    rate = lr;
  }
  return log.end(rows.at(-1)!.step + 8);
}

it('a learning rate that is said only when it changes - its fall and its rise are events at their own step', async () => {
  for (const [name, expected] of [
    ['teacher_gd_lrdrop', 'stage 1000 saturation lr_decrease'],
    ['teacher_gd_lrjump', 'stage 1500 transient lr_increase'],
  ] as const) {
    const run = newId('r');
    await (await asTheProbeSends(new RunLog(run, house.blobs).attach().model(), name)).publish(house.bus);
    await house.settled();
    const stages = house.store
      .rows('findings')
      .filter((finding) => finding.run === run && finding.kind === 'stage')
      .map(({ kind, step, to, detail }) => `${kind} ${step} ${to} ${detail}`);
    expect(stages).toContain(expected);
  }
});
