import { describe, expect, it } from 'vitest';
import type { ScalarRow } from '#store/rows.js';
import { seriesDeltas } from './series-delta.js';

const row = (step: number, value: number, name = 'loss.train', rank = 0): ScalarRow => ({
  run: 'r',
  attempt: 1,
  rank,
  sequence: 1,
  index: 0,
  step,
  name,
  value,
  timeMs: 0,
});

describe('seriesDeltas', () => {
  it('makes one line for each name and rank, with steps ascending', () => {
    const lines = seriesDeltas([row(2, 2), row(1, Number.NaN), row(1, 5, 'lr'), row(1, 7, 'lr', 1)]);
    expect(lines.map(({ name, rank, steps, values }) => [name, rank, steps, values])).toEqual([
      ['loss.train', 0, [1, 2], ['nan', 2]],
      ['lr', 0, [1], [5]],
      ['lr', 1, [1], [7]],
    ]);
  });

  it('thins a long line, and keeps its extremes, its oddities and its end', () => {
    const rows = Array.from({ length: 50_000 }, (_, step) => row(step, Math.sin(step / 1000)));
    rows[12_345] = row(12_345, 99);
    rows[23_456] = row(23_456, Number.NaN);
    rows[34_567] = row(34_567, Number.NEGATIVE_INFINITY);
    const [line] = seriesDeltas(rows);
    expect(line!.steps.length).toBeLessThanOrEqual(1000);
    expect(line!.values).toEqual(expect.arrayContaining([99, 'nan', '-inf']));
    expect(line!.steps.at(-1)).toBe(49_999);
    expect(line!.steps).toEqual([...line!.steps].sort((a, b) => a - b));
    expect(new Set(line!.steps).size).toBe(line!.steps.length);
  });
});
