import { expect, it } from 'vitest';
import type { SeriesNameBody } from '#dashboard/events/http.js';
import { mainCharts, otherCharts } from './spec.js';

const named = (...names: readonly string[]): SeriesNameBody[] => names.map((name) => ({ name, key: '' }) as SeriesNameBody);

it('charts - what a job sets is drawn as steps, what is measured as lines', () => {
  const names = named('lr', 'momentum', 'weight_decay', 'batch_size', 'loss.train', 'sharpness', 'sharpness.threshold', 'mine');
  const series = [...mainCharts(names, false), ...otherCharts(names)].flatMap((chart) => chart.series);
  const stepped = series.filter((one) => one.stepped === true).map(({ name }) => name);
  expect(stepped.sort()).toEqual(['batch_size', 'lr', 'momentum', 'sharpness.threshold', 'weight_decay']);
});

it('charts - the threshold of a preconditioned optimizer is drawn against λ1(P⁻¹H), and against nothing while that is not measured', () => {
  const drawn = (preconditioned: boolean, ...names: readonly string[]): string[] =>
    mainCharts(named(...names), preconditioned)
      .find(({ id }) => id === 'sharpness')!
      .series.map(({ name }) => name);
  const all = ['sharpness', 'sharpness.preconditioned', 'sharpness.threshold'];
  expect(drawn(false, 'sharpness', 'sharpness.threshold')).toEqual(['sharpness', 'sharpness.threshold']);
  expect(drawn(true, 'sharpness', 'sharpness.threshold')).toEqual(['sharpness']);
  expect(drawn(true, ...all)).toEqual(['sharpness.preconditioned', 'sharpness.threshold']);
  expect(drawn(false, ...all)).toEqual(['sharpness', 'sharpness.threshold']);
});
