import { expect, it } from 'vitest';
import { newId, runIdPattern } from './ids.js';

it('ids - match their pattern, differ, and sort by time', () => {
  const ids = Array.from({ length: 200 }, (_, i) => newId('r', 1_700_000_000_000 + i));
  expect(ids.every((id) => runIdPattern.test(id))).toBe(true);
  expect(new Set(ids).size).toBe(200);
  expect([...ids].sort()).toEqual(ids);
});
