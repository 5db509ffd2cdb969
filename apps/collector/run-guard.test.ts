import { expect, it } from 'vitest';
import { RunGuard } from './run-guard.js';

const settled = (promise: Promise<void>): Promise<boolean> =>
  Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setTimeout(resolve, 10, false))]);

it('closes when the last one is out, and lets nobody in until then', async () => {
  const guard = new RunGuard();
  const [first, second] = [guard.enter('r'), guard.enter('r')];
  const closed = guard.close('r');
  expect(() => guard.enter('r')).toThrow(/deleted/);
  guard.enter('another')();
  first();
  first();
  expect(await settled(closed)).toBe(false);
  second();
  expect(await settled(closed)).toBe(true);
  expect(() => guard.enter('r')).toThrow(/deleted/);
  guard.open('r');
  guard.enter('r')();
});

it('closes at once where nobody is inside', async () => {
  const guard = new RunGuard();
  guard.enter('r')();
  expect(await settled(guard.close('r'))).toBe(true);
});
