import { describe, expect, it } from 'vitest';
import { oneHot } from './queries.js';

describe('oneHot', () => {
  it('a row for each class index, from numbers and from int64', () => {
    expect([...oneHot([2, 0], 3)]).toEqual([0, 0, 1, 1, 0, 0]);
    expect([...oneHot(BigInt64Array.of(1n), 2)]).toEqual([0, 1]);
    expect([...oneHot([], 3)]).toEqual([]);
  });

  it.each([3, -1, 0.5, Number.NaN])('refuses the class %s of 3', (index) => {
    expect(() => oneHot([index], 3)).toThrow(RangeError);
  });
});
