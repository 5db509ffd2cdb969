import { expect, it } from 'vitest';
import { deviceParts } from './device-parts.js';
import { createOrtCpuExecutor } from './executors/ort-cpu.js';
import { ExecutorSpace } from './executor-space.js';

it('sums on a device lose nothing that single precision would', async () => {
  const executor = { ...createOrtCpuExecutor({ threads: 1 }), inHostMemory: false };
  const parameters = [
    { name: 'a', shape: [2], offset: 0, size: 2 },
    { name: 'b', shape: [1, 3], offset: 2, size: 3 },
  ];
  const space = new ExecutorSpace(executor, 5);
  const sums = deviceParts(executor, space, parameters).sums(1);
  const add = (value: number): Promise<void> =>
    sums.add(
      0,
      {
        a: executor.upload([2], new Float32Array(2).fill(value)),
        b: executor.upload([1, 3], Float32Array.of(value, 2 * value, 0)),
      },
      ['a', 'b'],
    );
  await add(2 ** 30);
  for (let i = 0; i < 50; i++) await add(1);
  await add(-(2 ** 30));
  const sum = await sums.finish(0.5);
  expect(await space.toHost(sum)).toEqual([Float32Array.of(25, 25, 25, 50, 0)]);
});
