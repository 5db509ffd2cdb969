import { expect, test } from 'vitest';
import { Columns } from '../charts/columns.js';
import { Line } from './line.js';

const delta = (steps: number[], values: (number | 'nan' | 'inf' | '-inf')[], rest: object = {}) =>
  ({ name: 'loss.train', key: '', attempt: 1, rank: 0, source: 'log', steps, values, ...rest }) as const;
const history = (steps: number[], values: number[], attempt = 1) => ({
  steps,
  values,
  attempts: steps.map(() => attempt),
  ranks: steps.map(() => 0),
});
const newLine = (): Line => new Line('loss.train', '', 0, 'log');

test('line - history fills in around what came live, and never takes its place', () => {
  const line = newLine();
  line.mergeDelta(delta([5, 6], [50, 60]));
  line.mergeHistory(history([1, 5, 5, 9], [10, 1, 2, 90]));
  const [{ points }] = line.stretches(new Map()) as [{ points: { steps: number[]; values: number[] } }];
  expect([points.steps, points.values]).toEqual([
    [1, 5, 6, 9],
    [10, 50, 60, 90],
  ]);
});

test('line - logged twice at one step: the later one counts, live and in the history', () => {
  const live = newLine();
  live.mergeDelta(delta([1, 1], [3, 4]));
  const late = newLine();
  late.mergeHistory(history([1, 1], [3, 4]));
  expect(live.latest()).toEqual({ step: 1, value: 4 });
  expect(late.latest()).toEqual({ step: 1, value: 4 });
});

test('line - thinned when it grows over the limit, keeping spikes and the first NaN', () => {
  const line = newLine();
  const steps = Array.from({ length: 300_001 }, (_, i) => i);
  line.mergeDelta(
    delta(
      steps,
      steps.map((step) => (step === 150_000 ? 1e9 : step === 200_000 ? 'nan' : step % 7)),
    ),
  );
  expect(line.thinned).toBe(true);
  expect(line.size).toBeLessThan(110_000);
  const [{ points }] = line.stretches(new Map()) as [{ points: { steps: number[]; values: number[] } }];
  expect(points.values[points.steps.indexOf(150_000)]).toBe(1e9);
  expect(points.values[points.steps.indexOf(200_000)]).toBeNaN();
});

test('columns - appended in place they are what a fresh build gives', () => {
  const [loss, sharpness] = [newLine(), newLine()];
  const traces = [
    { line: loss, bounds: false },
    { line: sharpness, bounds: true },
  ];
  const grown = new Columns();
  for (let step = 0; step < 40; step++) {
    loss.mergeDelta(delta([step], [step === 9 ? 'nan' : step === 11 ? '-inf' : step - 2]));
    // Measured later than logged, at some steps only, once at a step of its own.
    if (step % 5 === 4) sharpness.mergeDelta(delta([step - 3], [step], { bounds: [0.5] }));
    if (step === 20) sharpness.mergeDelta(delta([20.5], [7], { bounds: ['nan'] }));
    grown.update(traces, new Map([[1, 0]]), false);
  }
  const fresh = new Columns();
  fresh.update(traces, new Map([[1, 0]]), false);
  expect(grown.steps).toEqual(fresh.steps);
  expect(grown.columns).toEqual(fresh.columns);
  expect(grown.broken).toEqual(fresh.broken);
  expect(fresh.broken.map(({ step }) => step)).toEqual([9, 11]);
  expect(fresh.columns).toHaveLength(4);
});

test('columns - an attempt that was taken up earlier leaves the path and stays as a stray', () => {
  const line = newLine();
  line.mergeDelta(delta([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]));
  line.mergeDelta(delta([3, 4, 5], [30, 40, 50], { attempt: 2 }));
  const columns = new Columns();
  columns.update(
    [{ line, bounds: false }],
    new Map([
      [1, 0],
      [2, 3],
    ]),
    false,
  );
  expect(columns.steps).toEqual([0, 1, 2, 3, 4, 5]);
  expect(columns.columns[0]).toEqual([0, 1, 2, 30, 40, 50]);
  expect(columns.strays).toEqual([{ trace: 0, steps: [2, 3, 4], values: [2, 3, 4] }]);
});

test('columns - a logarithmic scale hides what it cannot show, and counts it', () => {
  const line = newLine();
  line.mergeDelta(delta([0, 1, 2], [1, 0, -3]));
  const columns = new Columns();
  columns.update([{ line, bounds: false }], new Map(), true);
  expect(columns.columns[0]).toEqual([1, null, null]);
  expect(columns.hidden).toBe(2);
});
