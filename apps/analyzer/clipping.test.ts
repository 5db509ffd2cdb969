import { expect, it } from 'vitest';
import { newId } from '#runtime/ids.js';
import { House } from './testing/house.js';
import { FakeMeasurer } from './testing/fake-measurer.js';
import { RunLog } from './testing/run-log.js';

it('clipping that bites at a snapshot - its threshold and ratio are of the rate that is left, and the instrument says so', async () => {
  const house = await House.open();
  const measurer = new FakeMeasurer();
  const analyzer = house.analyzer({
    measurer: {
      capacity: 1,
      close: () => measurer.close(),
      measure: async (job) => {
        const result = await measurer.measure(job);
        const norm = { ...result.readings[0]!, name: 'gradient.norm', value: 4 };
        return { ...result, readings: [...result.readings, norm] };
      },
    },
  });
  await analyzer.start();
  const run = newId('r');
  const log = new RunLog(run, house.blobs).attach({ learningRate: 0.1 }).model();
  log.scalars([
    [0, 'loss.train', 1],
    [0, 'gradient.clip', 0],
  ]);
  await log.snapshot(0, 5, 1, 0.1);
  log.scalars([
    [1, 'loss.train', 1],
    [1, 'gradient.clip', 2],
  ]);
  await log.snapshot(1, 5, 1, 0.1);
  log.scalars([
    [2, 'loss.train', 1],
    [2, 'gradient.clip', 0],
  ]);
  await log.end(2).publish(house.bus);
  await house.settled();
  const values = (name: string): number[] =>
    house.store
      .rows('readings')
      .filter((reading) => reading.name === name)
      .sort((a, b) => a.step - b.step)
      .map(({ value }) => value);
  expect(values('sharpness.threshold')).toEqual([20, 40]);
  const [s0, s1] = values('sharpness') as [number, number];
  expect(values('edge.ratio')).toEqual([s0 / 20, expect.closeTo(s1 / 40, 12)]);
  const said = house.store.rows('instruments').filter(({ instrument, reason }) => instrument === 'edge.ratio' && reason !== '');
  expect(said.map(({ on, reason }) => [on, reason]).at(-1)).toEqual([true, expect.stringContaining('clipped to 2')]);
  await analyzer.close();
  await house.close();
});
