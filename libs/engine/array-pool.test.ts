import { expect, it } from 'vitest';
import { createReferenceExecutor } from './executors/reference.js';
import { ArrayPool } from './array-pool.js';
import { ExecutorSpace } from './executor-space.js';

it('gives out again what was given back, of the same length only', () => {
  const pool = new ArrayPool();
  const array = pool.take(3);
  array.fill(7);
  pool.give(array);
  expect(pool.take(4)).not.toBe(array);
  expect(pool.take(3)).toBe(array);
  expect(pool.take(3)).not.toBe(array);
});

it('keeps nothing after it was cleared, and not more than it may', () => {
  const pool = new ArrayPool();
  const array = pool.take(3);
  pool.give(array);
  pool.clear();
  expect(pool.take(3)).not.toBe(array);
  const length = 65 * 2 ** 20;
  const huge = pool.take(length);
  pool.give(huge);
  expect(Object.is(pool.take(length), huge)).toBe(false);
});

it('a block takes the memory of one that was released, and fills up its last piece with zeros', async () => {
  const size = 3000;
  const space = new ExecutorSpace(createReferenceExecutor(), size);
  const first = await space.fromHost([new Float32Array(size).fill(5)]);
  space.release(first);
  // Its room is longer than a vector; numbers that were left there would be seen in a length.
  const slots = space.slots(1);
  slots.data.fill(9);
  space.giveBack(slots);
  const second = await space.fromHost([new Float32Array(size).fill(1)]);
  expect([...(await space.norms(second))]).toEqual([Math.sqrt(size)]);
});
