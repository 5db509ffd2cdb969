import { expect, it } from 'vitest';
import { nearestName } from './nearest-name.js';

const names = ['stage', 'divergence_risk', 'failed', 'lost'];

it.each([
  ['divergence-risk', 'divergence_risk'],
  ['Divergence', 'divergence_risk'],
  ['fail', 'failed'],
  ['stages', 'stage'],
  ['last', 'lost'],
])('nearest name - %s is near %s', (given, expected) => {
  expect(nearestName(given, names)).toBe(expected);
});

it('nearest name - there is none of an empty list', () => {
  expect(nearestName('stage', [])).toBeUndefined();
});
