/** Closes a measurer at one moment after another of a measurement: a process that a test starts. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogger } from '#runtime/logging.js';
import { WorkerMeasurer } from '../measure/worker-measurer.js';
import { goldenModel } from './golden-model.js';

const rounds = 8;
// So many examples that the worker is nearly always inside ONNX Runtime.
const { job } = goldenModel('tanh-classes', 5_000);
for (let round = 0; round < rounds; round++) {
  const engine = { memoryBytes: 256 * 2 ** 20, threads: 1 };
  const measurer = new WorkerMeasurer({ logger: createLogger({ level: 'silent' }), engine });
  await measurer.measure(job);
  const under = measurer.measure({ ...job, step: 1 }).catch(() => undefined);
  await sleep(5 + 7 * round);
  await measurer.close();
  await under;
}
