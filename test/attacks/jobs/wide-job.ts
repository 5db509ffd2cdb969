/**
 * A job with a network as wide as one likes, which it does not train: its snapshots take long to measure, or more memory
 * than there is. Its loss falls as 1 / (1 + step), and is NaN from `nanFrom` on.
 *
 *     node dist/test/attacks/jobs/wide-job.js '{"address": "127.0.0.1:7581", "steps": 20, "sizes": [64, 2000, 10]}'
 */
import { setTimeout as wait } from 'node:timers/promises';
import { exportOnnx, mlp } from '#graph/index.js';
import { createRandom } from '#math/random.js';
import { attach } from '#probe-node/index.js';
import { Allowance, say, type JobOptions } from '../../system/jobs/job-options.js';

export interface WideJobOptions extends JobOptions {
  readonly sizes: readonly number[];
  /** In the probe set. */
  readonly examples: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as WideJobOptions;
const { address, steps, sizes, examples, snapshotEvery = 1, pauseMs = 50, nanFrom = Number.POSITIVE_INFINITY } = options;
const [inputs, outputs] = [sizes[0]!, sizes.at(-1)!];

const random = createRandom(11);
const fill = (count: number, scale: number): Float32Array => Float32Array.from({ length: count }, () => scale * random.normal());
const parameters = sizes.slice(1).flatMap((size, layer) => [
  { name: `layer${layer + 1}.weight`, shape: [sizes[layer]!, size], data: fill(sizes[layer]! * size, sizes[layer]! ** -0.5) },
  { name: `layer${layer + 1}.bias`, shape: [size], data: fill(size, 0.1) },
]);

const run = attach({
  ...(options.secretFolder !== undefined && { secretFolder: options.secretFolder }),
  address,
  name: options.name ?? 'wide job',
  project: 'attacks',
  optimizer: { name: 'sgd', learningRate: 0.1 },
  loss: { kind: 'mse' },
  plannedSteps: steps,
  model: {
    format: 'onnx',
    graph: exportOnnx(mlp({ sizes, activation: 'tanh' })),
    parameters: parameters.map(({ name }) => name),
  },
  train: {
    x: { shape: [examples, inputs], data: fill(examples * inputs, 1) },
    y: { shape: [examples, outputs], data: fill(examples * outputs, 1) },
  },
  snapshotEvery,
  drainMs: 60_000,
  maxRetryMs: 500,
});
void run.attached.then((attached) => say({ run: attached?.runId ?? null }));

const allowance = new Allowance(options.paced ?? false);
for (let step = 0; step < steps; step++) {
  await allowance.until(step);
  run.step({ loss: step >= nanFrom ? Number.NaN : 1 / (1 + step), lr: 0.1, snapshot: () => parameters });
  say({ step });
  await wait(pauseMs);
}
const report = await run.end('finished');
say({ steps, delivered: report.delivered });
allowance.close();
