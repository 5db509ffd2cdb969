import { expect, it } from 'vitest';
import { ForgetTogether } from './forget-together.js';

it('runs that come while a pass is under way share the next one', async () => {
  const passes: string[][] = [];
  const together = new ForgetTogether(async (runs) => {
    passes.push([...runs]);
    await new Promise((resolve) => setTimeout(resolve, 5));
  });
  const first = together.forget('a');
  await Promise.resolve().then(() => undefined);
  await Promise.all([first, ...['b', 'c', 'b'].map((run) => together.forget(run))]);
  expect(passes).toEqual([['a'], ['b', 'c']]);
});

it('a pass that fails tells those who wait for it, and not the next ones', async () => {
  let fails = true;
  const together = new ForgetTogether(() => (fails ? Promise.reject(new Error('full')) : Promise.resolve()));
  await expect(together.forget('a')).rejects.toThrow('full');
  fails = false;
  await together.forget('b');
});
