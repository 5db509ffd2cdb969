import 'reflect-metadata';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import { newId } from '#runtime/ids.js';
import { AnalyzerModule } from './analyzer.module.js';
import { FakeMeasurer } from './testing/fake-measurer.js';
import { House } from './testing/house.js';
import { RunLog } from './testing/run-log.js';

it('AnalyzerModule - starts and ends with its application', async () => {
  const house = await House.open();
  const { config, bus, blobs, logger, metrics } = house;
  const options = { config, bus, blobs, logger, metrics };
  const module = await Test.createTestingModule({
    imports: [AnalyzerModule.register({ ...options, store: house.store.asStore(), measurer: new FakeMeasurer() })],
  }).compile();
  await module.init();
  await new RunLog(newId('r'), blobs).attach().end(0).publish(bus);
  await house.settled();
  expect(house.store.rows('runs')).toHaveLength(1);
  await module.close();
  await house.close();
});
