/**
 * A training job by the Node probe: full-batch gradient descent of a small network, written by hand. Every number of it
 * follows from its options, so two runs of it are alike.
 *
 *     node dist/test/system/jobs/node-job.js '{"address": "127.0.0.1:7581", "steps": 400}'
 */
import { setTimeout as wait } from 'node:timers/promises';
import { exportOnnx, mlp } from '#graph/index.js';
import { createRandom } from '#math/random.js';
import { attach, type Run } from '#probe-node/index.js';
import { Allowance, type JobOptions, say } from './job-options.js';

const options = JSON.parse(process.argv[2] ?? '{}') as JobOptions;
const { address, steps, learningRate = 0.4, snapshotEvery = 4, pauseMs = 2, nanFrom } = options;
const inputs = 4;
const hidden = 12;
const examples = 48;

const random = createRandom(7);
const fill = (count: number, scale: number): Float64Array => Float64Array.from({ length: count }, () => scale * random.normal());
const x = fill(examples * inputs, 1).map(Math.fround);
const y = Float64Array.from({ length: examples }, (_, i) =>
  Math.fround(Math.sin(2 * x[i * inputs]!) + x[i * inputs + 1]! * x[i * inputs + 2]!),
);
const w1 = fill(inputs * hidden, 0.6);
const b1 = fill(hidden, 0.1);
const w2 = fill(hidden, 0.4);
const b2 = fill(1, 0.1);

/** Mean over examples of half the squared error, and its gradient. */
function lossAndGradient(): { loss: number; gradient: readonly Float64Array[] } {
  const gradient = [w1, b1, w2, b2].map(({ length }) => new Float64Array(length));
  const [g1, c1, g2, c2] = gradient as [Float64Array, Float64Array, Float64Array, Float64Array];
  let loss = 0;
  const h = new Float64Array(hidden);
  for (let n = 0; n < examples; n++) {
    let out = b2[0]!;
    for (let j = 0; j < hidden; j++) {
      let sum = b1[j]!;
      for (let i = 0; i < inputs; i++) sum += x[n * inputs + i]! * w1[i * hidden + j]!;
      h[j] = Math.tanh(sum);
      out += h[j]! * w2[j]!;
    }
    const error = out - y[n]!;
    loss += (error * error) / (2 * examples);
    const slope = error / examples;
    c2[0]! += slope;
    for (let j = 0; j < hidden; j++) {
      g2[j]! += slope * h[j]!;
      const back = slope * w2[j]! * (1 - h[j]! * h[j]!);
      c1[j]! += back;
      for (let i = 0; i < inputs; i++) g1[i * hidden + j]! += back * x[n * inputs + i]!;
    }
  }
  return { loss, gradient };
}

const tensors = () => [
  { name: 'layer1.weight', shape: [inputs, hidden], data: Float32Array.from(w1) },
  { name: 'layer1.bias', shape: [hidden], data: Float32Array.from(b1) },
  { name: 'layer2.weight', shape: [hidden, 1], data: Float32Array.from(w2) },
  { name: 'layer2.bias', shape: [1], data: Float32Array.from(b2) },
];

const watch = (): Run =>
  attach({
    address,
    name: options.name ?? 'node job',
    project: 'system tests',
    optimizer: { name: 'sgd', learningRate },
    loss: { kind: 'mse', halved: true },
    plannedSteps: steps,
    fullBatch: true,
    ...(options.resumeRunId !== undefined && { resumeRunId: options.resumeRunId }),
    ...(options.secretFolder !== undefined && { secretFolder: options.secretFolder }),
    model: {
      format: 'onnx',
      graph: exportOnnx(mlp({ sizes: [inputs, hidden, 1], activation: 'tanh' })),
      parameters: tensors().map(({ name }) => name),
    },
    train: {
      x: { shape: [examples, inputs], data: Float32Array.from(x) },
      y: { shape: [examples, 1], data: Float32Array.from(y) },
    },
    snapshotEvery,
    drainMs: 90_000,
    maxRetryMs: 500,
  });
const run = options.bare === true ? undefined : watch();
void run?.attached.then((attached) => say({ run: attached?.runId ?? null }));

const allowance = new Allowance(options.paced ?? false);
for (let step = 0; step < steps; step++) {
  await allowance.until(step);
  const { loss, gradient } = lossAndGradient();
  const shown = nanFrom !== undefined && step >= nanFrom ? Number.NaN : loss;
  const norm = Math.hypot(...gradient.flatMap((part) => [...part]));
  run?.step({
    loss: shown,
    lr: learningRate,
    'gradient.norm': norm,
    odd: [-Infinity, Infinity, step][step % 3]!,
    snapshot: tensors,
  });
  for (const [k, part] of [w1, b1, w2, b2].entries()) {
    for (let i = 0; i < part.length; i++) part[i]! -= learningRate * gradient[k]![i]!;
  }
  say({ step });
  await wait(pauseMs);
}
const report = await (options.failsWith === undefined ? run?.end('finished') : run?.end('failed', options.failsWith));
say({ steps, delivered: report?.delivered ?? false });
allowance.close();
