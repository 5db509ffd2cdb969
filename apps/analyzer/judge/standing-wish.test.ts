import { expect, it } from 'vitest';
import { newWish, type StandingWish } from './standing-wish.js';

const dense = { everySteps: 1, factor: 1.02 };
const standing: StandingWish = { ...dense, fromStep: 100, untilStep: 300, sinceMs: 0 };

it('a wish is said when it changes, and again before it ends, in steps or in time', () => {
  expect(newWish(null, dense, 100, 5)).toEqual({ ...dense, fromStep: 100, untilStep: 300, sinceMs: 5 });
  expect(newWish(standing, dense, 150, 1000)).toBeUndefined();
  expect(newWish(standing, dense, 210, 1000)).toEqual({ ...dense, fromStep: 210, untilStep: 520, sinceMs: 1000 });
  expect(newWish(standing, dense, 150, 400_000)).toMatchObject({ fromStep: 150, untilStep: 400, sinceMs: 400_000 });
  expect(newWish(standing, { everySteps: 5, factor: 1.03 }, 150, 1000)).toMatchObject({ everySteps: 5, untilStep: 400 });
});

it('every step is wished for ten steps, so that it holds nobody up who hears of it at step 300', () => {
  expect(newWish(standing, { everySteps: 1, factor: 1 }, 0, 0)).toMatchObject({ fromStep: 0, untilStep: 10 });
});

it('a wish of an earlier version, which had no end, is said again with one', () => {
  expect(newWish({ ...dense } as StandingWish, dense, 150, 1000)).toMatchObject({ untilStep: 400 });
});
