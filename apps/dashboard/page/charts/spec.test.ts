import { expect, it } from 'vitest';
import type { SeriesNameBody } from '#dashboard/events/http.js';
import { mainCharts, otherCharts } from './spec.js';

const named = (...names: readonly string[]): SeriesNameBody[] => names.map((name) => ({ name, key: '' }) as SeriesNameBody);

it('charts - what a job sets is drawn as steps, what is measured as lines', () => {
  const names = named('lr', 'momentum', 'weight_decay', 'batch_size', 'loss.train', 'sharpness', 'sharpness.threshold', 'mine');
  const series = [...mainCharts(names), ...otherCharts(names)].flatMap((chart) => chart.series);
  const stepped = series.filter((one) => one.stepped === true).map(({ name }) => name);
  expect(stepped.sort()).toEqual(['batch_size', 'lr', 'momentum', 'sharpness.threshold', 'weight_decay']);
});
