/**
 * The training job of `stagewatch demo`: a process of its own, which attaches like anybody's.
 *
 *     node dist/libs/lab/demo-job.js --address 127.0.0.1:7581 [--steps 1400] [--rate 0.4] [--pace-ms 40] [--seed 1]
 *       [--drain-seconds 10]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createProbeModel, type ProbeModel } from '#engine/index.js';
import { attachLoss, exportOnnx } from '#graph/index.js';
import { norm } from '#math/vectors.js';
import { attach, type AttachOptions, type Run } from '#probe-node/index.js';
import { chebyshevTask, type Task } from './chebyshev.js';
import { descend } from './gradient-descent.js';

const progressEverySteps = 200;

const { values: flags } = parseArgs({
  options: {
    address: { type: 'string', default: '127.0.0.1:7581' },
    token: { type: 'string' },
    name: { type: 'string', default: 'chebyshev' },
    project: { type: 'string', default: 'demo' },
    steps: { type: 'string', default: '1400' },
    rate: { type: 'string', default: '0.4' },
    'pace-ms': { type: 'string', default: '40' },
    degree: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    'drain-seconds': { type: 'string', default: '10' },
  },
});
const steps = Number(flags.steps);
const learningRate = Number(flags.rate);
const paceMs = Number(flags['pace-ms']);

const loss = { kind: 'mse', reduction: 'sum-outputs', halved: true } as const;

async function main(): Promise<void> {
  const task = chebyshevTask(Number(flags.degree), Number(flags.seed));
  const model = createProbeModel({ graph: attachLoss(task.forward, loss), probeSet: probeSet(task), threads: 1 });
  const start = await model.gradient(task.theta);
  const run = attach({
    ...described(task, model),
    reference: { loss: start.loss, gradientNorm: norm(start.gradient), step: 0 },
  });
  const interrupted = new AbortController();
  process.once('SIGTERM', () => interrupted.abort());
  process.once('SIGINT', () => interrupted.abort());
  await train(model, task, run, interrupted.signal);
  const { delivered, undelivered } = await run.end(interrupted.signal.aborted ? 'interrupted' : 'finished');
  if (!delivered) process.stderr.write(`demo job: ${undelivered} records could not be delivered\n`);
  await model.close();
}

async function train(model: ProbeModel, task: Task, run: Run, signal: AbortSignal): Promise<void> {
  let dueMs = performance.now();
  for await (const { step, loss: value, gradientNorm, theta } of descend(model, task.theta, { learningRate, steps })) {
    if (signal.aborted) return;
    run.step({
      step,
      loss: value,
      lr: learningRate,
      'gradient.norm': gradientNorm,
      snapshot: () =>
        model.parameters.map(({ name, shape, offset, size }) => ({ name, shape, data: theta.subarray(offset, offset + size) })),
    });
    if (step % progressEverySteps === 0)
      process.stderr.write(`demo job: step ${step} of ${steps}, loss ${value.toPrecision(4)}\n`);
    // The network is tiny: without a pace the run would be over before anybody has looked.
    dueMs += paceMs;
    await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => undefined);
  }
}

function described(task: Task, model: ProbeModel): AttachOptions {
  const [x, y] = [task.x, task.y].map((data) => ({ shape: [task.examples, 1], data }));
  return {
    address: flags.address,
    ...(flags.token === undefined ? {} : { token: flags.token }),
    name: flags.name,
    project: flags.project,
    framework: 'stagewatch lab',
    optimizer: { name: 'sgd', learningRate },
    loss,
    plannedSteps: steps,
    fullBatch: true,
    drainMs: Number(flags['drain-seconds']) * 1000,
    model: { format: 'onnx', graph: exportOnnx(task.forward), parameters: model.parameters.map(({ name }) => name) },
    train: { x: x!, y: y! },
  };
}

function probeSet(task: Task): Parameters<typeof createProbeModel>[0]['probeSet'] {
  const [x, y] = [task.x, task.y].map((data) => ({ dtype: 'float32' as const, shape: [task.examples, 1], data }));
  return { x: x!, y: y! };
}

await main();
