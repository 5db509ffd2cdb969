import { expect, test } from 'vitest';
import { largest, smallest } from './extremes.js';

test('extremes - of a million numbers', () => {
  const numbers = Float64Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 1_000_003);
  expect(largest(numbers)).toBe(numbers.toSorted().at(-1));
  expect(smallest(numbers)).toBe(0);
});

test('extremes - as Math has them: nothing, NaN, signs of zero, a start', () => {
  for (const values of [[], [3], [2, Number.NaN, 1], [-0, 0], [-Infinity, 5]]) {
    expect(largest(values)).toBe(Math.max(...values));
    expect(smallest(values)).toBe(Math.min(...values));
  }
  expect([largest([1, 2], 5), smallest([1, 2], 0)]).toEqual([5, 0]);
});
