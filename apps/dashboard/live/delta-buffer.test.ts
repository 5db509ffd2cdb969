import { expect, test } from 'vitest';
import { DeltaBuffer } from './delta-buffer.js';
import { line } from '../testing/recorder.js';

test('delta buffer - points of one line are joined, those of another attempt or rank are not', () => {
  const buffer = new DeltaBuffer(false);
  buffer.add('r', { kind: 'series', series: [line('loss.train', [1, 2], [1, 'nan'])] });
  buffer.add('r', { kind: 'series', series: [line('loss.train', [3], [0.5]), line('loss.train', [1], [9], { attempt: 2 })] });
  buffer.add('r', { kind: 'series', series: [line('loss.train', [1], [8], { rank: 1 })] });
  expect(buffer.items).toBe(5);
  expect(buffer.drain()).toEqual({
    series: [
      line('loss.train', [1, 2, 3], [1, 'nan', 0.5]),
      line('loss.train', [1], [9], { attempt: 2 }),
      line('loss.train', [1], [8], { rank: 1 }),
    ],
  });
  expect(buffer.drain()).toBeUndefined();
});

test('delta buffer - bounds stay beside their values when only some points have them', () => {
  const buffer = new DeltaBuffer(false);
  buffer.add('r', { kind: 'series', series: [line('sharpness', [1], [5])] });
  buffer.add('r', { kind: 'series', series: [line('sharpness', [2], [6], { bounds: [0.1] })] });
  buffer.add('r', { kind: 'series', series: [line('sharpness', [3], [7])] });
  expect(buffer.drain()?.series?.[0]?.bounds).toEqual(['nan', 0.1, 'nan']);
});

test('delta buffer - a deletion ends a run; the list keeps the others', () => {
  const run = { run: 'a' } as never;
  const one = new DeltaBuffer(false);
  one.add('a', { kind: 'run', run });
  one.add('a', { kind: 'deleted' });
  expect(one.drain()).toEqual({ deleted: ['a'] });
  const list = new DeltaBuffer(true);
  list.add('a', { kind: 'run', run });
  list.add('b', { kind: 'run', run: { run: 'b' } as never });
  list.add('a', { kind: 'series', series: [line('loss.train', [1], [1])] });
  list.add('a', { kind: 'deleted' });
  expect(list.drain()).toEqual({ runs: [{ run: 'b' }], deleted: ['a'] });
});
