/**
 * The page with data, without the rest of the service:
 * `npm run build && node dist/apps/dashboard/testing/fixture-run.js [port] [milliseconds a row]`
 */
import { parseArgs } from 'node:util';
import { readConfig } from '#runtime/config.js';
import { createLogger } from '#runtime/logging.js';
import { Metrics } from '#runtime/metrics.js';
import { sleep } from '#runtime/retry.js';
import { createDashboard } from '../dashboard.js';
import { goldenCase, playGolden } from './golden-run.js';
import { memoryBlobs } from './memory-blobs.js';
import { MemoryBus } from './memory-bus.js';
import { MemoryStore } from './memory-store.js';
import { line, Recorder } from './recorder.js';

const { positionals } = parseArgs({ allowPositionals: true });
const port = positionals[0] ?? '7580';
const pauseMs = Number(positionals[1] ?? 60);
const bus = new MemoryBus();
const store = new MemoryStore();
const dashboard = createDashboard({
  bus,
  store,
  blobs: memoryBlobs(),
  config: readConfig({ STAGEWATCH_PORT_HTTP: port }),
  logger: createLogger(),
  metrics: new Metrics(),
});
await dashboard.start();

const now = Date.now();
const teacher = new Recorder(bus, store, {
  name: 'teacher, η = 0.4',
  project: 'golden',
  framework: 'numpy',
  createdMs: now - 1000,
  tags: { seed: '0', width: '64' },
});
await playGolden(goldenCase('teacher_gd_0.4'), teacher, () => Promise.resolve());

const noisy = new Recorder(bus, store, {
  name: 'noisy labels, cross-entropy, η = 1',
  project: 'golden',
  framework: 'torch 2.5.1',
  createdMs: now - 60_000,
  loss: { kind: 'cross-entropy', reduction: 'mean', halved: false },
});
await playGolden(goldenCase('noisy_ce_gd_1'), noisy, () => Promise.resolve());

const broken = new Recorder(bus, store, {
  name: 'too large a step',
  project: 'sweeps',
  createdMs: now - 3_600_000,
  plannedSteps: 4000,
});
await broken.update();
const steps = Array.from({ length: 400 }, (_, i) => i);
const exploding = steps.map((step) =>
  step < 330 ? 0.6 * Math.exp(-step / 80) + 0.3 * Math.exp((step - 250) / 14) * Number(step > 180) : Number.NaN,
);
await broken.series(
  line(
    'loss.train',
    steps,
    exploding.map((value) => (Number.isFinite(value) ? value : 'nan')),
  ),
  line(
    'gradient.norm',
    steps.slice(0, 335),
    steps.slice(0, 335).map((step) => (step === 334 ? 'inf' : Math.exp((step - 250) / 30))),
  ),
);
await broken.finding({
  kind: 'stage',
  step: 0,
  from: 'unknown',
  to: 'transient',
  text: 'step 0: training begins in the transient',
});
await broken.finding({ kind: 'divergence_risk', step: 330, severity: 'critical', text: 'step 330: the loss is not a number' });
await broken.finding({ kind: 'stage', step: 330, to: 'diverged', severity: 'critical', text: 'step 330: the run diverged' });
await broken.instruments({ instrument: 'sharpness', on: false, reason: 'no snapshot: the probe was attached without a model' });
await broken.update({ stage: 'diverged', step: 399, status: 'failed' });

const restarted = new Recorder(bus, store, { name: 'restarted job', project: 'sweeps', createdMs: now - 7_200_000 });
await restarted.update();
const curve = (step: number): number => 2 * Math.exp(-step / 300) + 0.1 * Math.abs(Math.sin(step / 3)) * Math.exp(-step / 500);
await restarted.series(line('loss.train', steps.slice(0, 320), steps.slice(0, 320).map(curve)));
await restarted.update({ attempt: 2 });
const resumed = Array.from({ length: 500 }, (_, i) => 250 + i);
await restarted.series(
  line(
    'loss.train',
    resumed,
    resumed.map((step) => curve(step) * 0.92),
    { attempt: 2 },
  ),
);
await restarted.finding({
  kind: 'lost',
  step: 319,
  attempt: 1,
  severity: 'warning',
  text: 'step 319: nothing was heard from the job for 50 s',
});
await restarted.finding({ kind: 'resumed', step: 250, text: 'step 250: attempt 2 took up the run' });
await restarted.update({ step: 749, status: 'lost', seenMs: now - 600_000 });

const live = new Recorder(bus, store, {
  name: 'live: Chebyshev degree 4, η = 0.4',
  project: 'golden',
  createdMs: now,
  tags: { seed: '3' },
});
console.error(`http://127.0.0.1:${dashboard.port}/runs/${live.run.run}`);
await playGolden(goldenCase('cheb4_gd_0.4'), live, () => sleep(pauseMs));
